"""A query asked of a network by name: the global vector of another picture, or of a class."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from lta.cli.saved import withhold_places
from lta.data.adapted import adapt
from lta.data.label_sets import has_several
from lta.data.network_size import fill_image_size
from lta.inference.windows import run_at_scales
from lta.instantiate import build
from lta.pictures.grey_range import find_grey_range
from lta.pictures.read import read_image
from lta.protocols import TrainedClassifier, takes_queries

EXAMPLES = 64
"""Of a class: test pictures whose mean global vector is its query."""

Queries = Mapping[str, Float[Tensor, "1 _"]]


def resolve_query(
    classifier: TrainedClassifier, levels: Sequence[str], query: str | int | None, whose: str
) -> tuple[Queries, tuple[str, ...]]:
    """What stands in for the network's own queries, {} where `query` is None, and what is to be said of it.

    `query`: one of its classes, or a picture's file. Raises ValueError where it is neither, where the maps of all `levels`
    take no notice of a query, and where pictures of the class can't be had.
    """
    if query is None:
        return {}, ()
    network = classifier.network
    if not takes_queries(network):
        raise ValueError(f"attention.query={query}: {whose} has maps that are made without a query")
    deaf = [level for level in levels if level not in network.acting_levels]
    if len(deaf) == len(levels):
        raise ValueError(
            f"attention.query={query}: {whose} has maps that provably ignore the query (levels "
            f"{', '.join(levels)}: it adds the same to all of a picture's scores, or nothing)"
        )
    if str(query) in map(str, classifier.class_names):  # a class named 3 comes from a command line as a number
        queries, said = _average_class_query(classifier, str(query))
    elif Path(str(query)).is_file():
        picture = read_image(Path(str(query)), grey_range=find_grey_range(classifier.hparams))
        queries, said = run_at_scales(classifier, picture.on_white).queries, f"query of {query}"
    else:
        names, more = classifier.class_names[:20], len(classifier.class_names) - 20
        classes = ", ".join(map(str, names)) + f" and {more} more" * (more > 0)
        raise ValueError(f"attention.query={query} is neither a file nor a class of the network: {classes}")
    return queries, (said, *(f"level {level} takes no notice of a query" for level in deaf))


def _average_class_query(classifier: TrainedClassifier, name: str) -> tuple[Queries, str]:
    """From the test pictures of the data that it was trained on."""
    config = classifier.hparams["config"]["data"]
    own = fill_image_size(withhold_places(config, "data", "the network"), classifier.hparams["image_size"])
    data = adapt(build(own), config)
    data.read()
    place, labels = [str(one) for one in data.class_names].index(name), data.test.labels
    has_it = labels[:, place] == 1 if has_several(labels) else labels == place
    index = torch.from_numpy(has_it).nonzero()[:EXAMPLES, 0]
    pictures = torch.from_numpy(data.test.images[index.numpy()]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        found = classifier(pictures.to(next(classifier.parameters()).device)).global_feats
    queries = {source: g.float().mean(0, keepdim=True).cpu() for source, g in found.items()}
    return queries, f"query of {name}, the mean of {len(pictures)} test picture{'s' * (len(pictures) > 1)}"
