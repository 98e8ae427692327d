"""A picture's attention from a network of torchvision that segments: for what CIFAR networks don't know, such as people."""

from collections.abc import Mapping
from pickle import UnpicklingError
from typing import Any
from urllib.error import URLError

import torch

from lta import checks
from lta.apply.sources import Attended, Source, finish_mask, refuse_network_settings
from lta.pictures.read import Picture

SHORTER, LONGER = 520, 2080
"""Pixels of a picture's sides as it is seen: those networks were trained and tested with 520; the limit is for memory."""

EDGES = 0.01
"""Share of the shorter side by which borders may move: these maps are finer than a CIFAR network's."""


def from_segmentation(name: str, segmenter: str, device: torch.device, attention: Mapping[str, Any]) -> Source:
    """How likely each pixel is of the class `name`, as torchvision's `segmenter` has it: nothing is stretched.

    Its weights (of COCO's pictures with the 20 classes of PASCAL VOC) are torchvision's best, downloaded by it into torch's
    cache. Raises ValueError where there is no such network or class, and where the weights can't be had.
    """
    # Imported here: it takes seconds, and the other sources need none of it.
    from torchvision.models import get_model, get_model_weights, list_models, segmentation

    refuse_network_settings(attention, f"segmentation={name}")
    checks.require_choice("segmenter", segmenter, list_models(segmentation))
    weights: Any = get_model_weights(segmenter)["DEFAULT"]
    classes = weights.meta["categories"]
    checks.require_choice("segmentation", name, classes[1:])  # the first is the background
    place = f"{torch.hub.get_dir()}/checkpoints"
    try:
        network = get_model(segmenter, weights=weights).to(device).eval()
    except URLError as error:  # HTTPError is one
        raise ValueError(
            f"segmenter={segmenter} needs its weights ({weights.meta['_file_size']:.0f} MB), and {weights.url} can't be "
            f"reached ({error.reason}): download it elsewhere and put it into {place}"
        ) from error
    except (RuntimeError, EOFError, UnpicklingError) as error:
        file = weights.url.rsplit("/", 1)[1]
        raise ValueError(f"segmenter={segmenter}: {file} in {place} is incomplete: remove it") from error

    @torch.inference_mode()
    def compute_attention(picture: Picture) -> Attended:
        shorter, longer = sorted(picture.rgb.shape[1:])
        seen = weights.transforms(resize_size=max(1, round(min(SHORTER, LONGER * shorter / longer))))(picture.on_white)
        likely = network(seen[None].to(device))["out"][0].softmax(0)[classes.index(name)].cpu()
        share = f"{100 * (likely > 0.5).float().mean():.0f} %"
        said = f"{share} of it is {name}" if likely.max() > 0.5 else f"no {name} was found in it: nothing counts as attended"
        return Attended(finish_mask(likely, picture, attention, EDGES), (said,))

    return Source(compute_attention)
