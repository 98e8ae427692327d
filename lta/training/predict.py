"""What a trained network says of pictures in whatever form somebody has them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lta import checks
from lta.measures.label_sets import compute_probabilities, gives_several_labels
from lta.pictures.grey_range import find_grey_range
from lta.protocols import TrainedClassifier
from lta.training.given import Given, list_given, load_ahead
from lta.training.prediction import LeftOut, Prediction, name_sets


class Predicted(NamedTuple):
    """Of some of the pictures in a row: the `places` of those that were seen, and what was said of each (on the CPU);
    `left_out` are those between that could not be loaded."""

    places: list[int]
    probabilities: Float[Tensor, "pictures classes"]
    maps: dict[str, Tensor]
    left_out: list[LeftOut]


def predict(
    classifier: TrainedClassifier, images: Any, size: tuple[int, int], batch_size: int = 64, skip_broken: bool = False
) -> Prediction:
    """See `lta.training.classifier.Classifier.predict`; `size` is the (height, width) that the network takes."""
    given = list_given(images, size, find_grey_range(classifier.hparams))
    parts = list(predict_in_batches(classifier, given, batch_size, skip_broken))
    left_out = tuple(one for part in parts for one in part.left_out)
    parts = [part for part in parts if part.places]
    if not parts:
        raise ValueError(f"no picture could be used: {left_out[0].reason}")
    # Joined outside of inference mode: copies like any other tensor, which may be changed and take part in training.
    joined = torch.cat([part.probabilities for part in parts])
    indices = joined.argmax(1)
    by_level = {level: torch.cat([part.maps[level] for part in parts]) for level in parts[0].maps}
    class_names = tuple(str(name) for name in classifier.class_names)
    names = tuple(given[place].name for part in parts for place in part.places)
    several = gives_several_labels(classifier)
    labels = name_sets(joined, class_names) if several else [class_names[index] for index in indices.tolist()]
    return Prediction(labels, indices, joined, by_level, class_names, names, left_out, several)


def predict_in_batches(
    classifier: TrainedClassifier, given: Sequence[Given], batch_size: int = 64, skip_broken: bool = False
) -> Iterator[Predicted]:
    """In the order given, `batch_size` at a time. While the network works on one batch the next ones are loaded.

    The network is in eval mode until the last one is taken. Raises the ValueError of a picture that can't be loaded, unless
    `skip_broken`.
    """
    checks.require_whole_number("batch_size", batch_size, least=1)
    pictures: list[Tensor] = []
    places: list[int] = []
    left_out: list[LeftOut] = []
    with _switch_to_eval(classifier):
        for place, loaded in enumerate(load_ahead(given, 2 * batch_size)):
            if isinstance(loaded, Tensor):
                pictures.append(loaded)
                places.append(place)
            elif skip_broken:
                left_out.append(LeftOut(given[place].name, str(loaded)))
            else:
                raise loaded
            if len(pictures) == batch_size:
                yield Predicted(places, *_run(classifier, pictures), left_out)
                pictures, places, left_out = [], [], []
        if pictures:
            yield Predicted(places, *_run(classifier, pictures), left_out)
        elif left_out:
            yield Predicted([], torch.empty(0, len(classifier.class_names)), {}, left_out)


@torch.inference_mode()
def _run(classifier: TrainedClassifier, pictures: list[Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    device = next(classifier.parameters()).device
    output = classifier(torch.stack(pictures).to(device))
    maps = {level: attn.float().cpu() for level, attn in output.attn.items()}
    return compute_probabilities(output.logits, gives_several_labels(classifier)).cpu(), maps


@contextmanager
def _switch_to_eval(classifier: TrainedClassifier) -> Iterator[None]:
    """In eval mode; afterwards each part is as it was, also those whose mode was not the whole's."""
    training = [module for module in classifier.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
