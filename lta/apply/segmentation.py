"""A picture's attention from a network of torchvision that segments: for what CIFAR networks don't know, such as people."""

from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple
from urllib.error import URLError

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta import checks
from lta.apply.sources import Attended, Source, finish_mask, refuse_network_settings
from lta.pictures.read import Picture

SHORTER, LONGER = 520, 2080
"""Pixels of a picture's sides as it is seen: those networks were trained and tested with 520; the limit is for memory."""

EDGES = 0.01
"""Share of the shorter side by which borders may move: these maps are finer than a CIFAR network's."""


class Segmenter(NamedTuple):
    """`network` of torchvision on its device; `transform(resize_size=...)(picture)` is what it is shown; the first of
    `classes` is the background."""

    network: nn.Module
    transform: Callable[..., Callable[[Tensor], Tensor]]
    classes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What can be asked for."""
        return self.classes[1:]

    @torch.inference_mode()
    def find(self, name: str, picture: Picture) -> Float[Tensor, "rows columns"]:
        """How likely each place of a picture is of the class `name`. Raises ValueError where there is no such class."""
        checks.require_choice("segmentation", name, self.names)
        shorter, longer = sorted(picture.rgb.shape[1:])
        size = max(1, round(min(SHORTER, LONGER * shorter / longer)))
        device = next(self.network.parameters()).device
        seen = self.transform(resize_size=size)(picture.on_white)[None].to(device)
        return self.network(seen)["out"][0].softmax(0)[self.classes.index(name)].cpu()


def from_segmentation(name: str, segmenter: str, device: torch.device, attention: Mapping[str, Any]) -> Source:
    """How likely each pixel is of the class `name`, as torchvision's `segmenter` has it: nothing is stretched.

    Raises ValueError as `load_segmenter`, and where there is no such class.
    """
    refuse_network_settings(attention, f"segmentation={name}")
    weights = _get_weights(segmenter)
    checks.require_choice("segmentation", name, weights.meta["categories"][1:])  # before anything is downloaded
    loaded = load_segmenter(segmenter, device)

    def compute_attention(picture: Picture) -> Attended:
        likely = loaded.find(name, picture)
        return Attended(finish_mask(likely, picture, attention, EDGES), (describe_found(name, likely),))

    return Source(compute_attention)


def load_segmenter(segmenter: str, device: torch.device) -> Segmenter:
    """Its weights (of COCO's pictures with the 20 classes of PASCAL VOC) are torchvision's best, downloaded by it into
    torch's cache. Raises ValueError where there is no such network, and where the weights can't be had."""
    from torchvision.models import get_model

    weights = _get_weights(segmenter)
    file = find_file(segmenter)
    try:
        network = get_model(segmenter, weights=weights).to(device).eval()
    except URLError as error:  # HTTPError is one
        raise ValueError(
            f"segmenter={segmenter} needs its weights ({weights.meta['_file_size']:.0f} MB), but {weights.url} can't be "
            f"reached ({error.reason}): download that file elsewhere and put it into {file.parent}"
        ) from error
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"segmenter={segmenter}: {file.name} in {file.parent} is incomplete: remove it") from error
    return Segmenter(network, weights.transforms, tuple(weights.meta["categories"]))


def find_file(segmenter: str) -> Path:
    """Where its weights lie, or would. Raises ValueError where there is no such network."""
    return Path(torch.hub.get_dir(), "checkpoints", _get_weights(segmenter).url.rsplit("/", 1)[1])


def describe_found(name: str, likely: Float[Tensor, "rows columns"]) -> str:
    """How much of a picture is of the class `name`, in words; `likely`: the probabilities, 0 to 1."""
    share = f"{100 * (likely > 0.5).float().mean():.0f} %"
    return f"{share} of it is {name}" if likely.max() > 0.5 else f"no {name} was found in it: nothing counts as attended"


def _get_weights(segmenter: str) -> Any:
    # Imported here: it takes seconds, and the other sources need none of it.
    from torchvision.models import get_model_weights, list_models, segmentation

    checks.require_choice("segmenter", segmenter, list_models(segmentation))
    return get_model_weights(segmenter)["DEFAULT"]
