"""The networks whose steps are compared, by the name that they have in the tables."""

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

from textbook import TextbookVGGAtt3
from torch import nn

from gpu_stages.settings import Settings
from gpu_stages.stage import Absent
from lta.layers.compatibility import Parametrised
from lta.models.air_family import air, air_attention
from lta.models.vgg_family import vgg_attention, vgg_late


class Compared(NamedTuple):
    """Networks of one stage: `builders` by name, and what they are shown."""

    builders: dict[str, Callable[[], nn.Module]]
    batch: int
    size: int = 32


def compare_vgg(settings: Settings, width: float) -> Compared:
    """vgg_att3 with pc, without its inert branch, the textbook's, and the same trunk without attention."""
    builders = {
        "vgg_att3": lambda: vgg_attention(10, "ABC", Parametrised, width=width, prune_inert_query=True),
        "textbook": lambda: TextbookVGGAtt3(10, width),
        "vgg_late": lambda: vgg_late(10, width=width),
    }
    return Compared(builders, settings.sizes.batch)


def compare_air(settings: Settings) -> Compared:
    width = settings.sizes.air_width
    builders = {
        "air_att3": lambda: air_attention(10, "ABC", Parametrised, prune_inert_query=True, width=width),
        "air": lambda: air(10, width=width),
    }
    return Compared(builders, settings.sizes.air_batch)


def compare_backbones(settings: Settings) -> Compared:
    """With random weights: a step takes as long with any. Raises Absent without timm."""
    if importlib.util.find_spec("timm") is None:
        raise Absent("timm is not installed, which pretrained backbones need")
    from lta.models.backbone_family import backbone_attention, backbone_gap

    def build(train: str) -> dict:
        return {"name": settings.sizes.backbone, "weights": "none", "train": train}

    builders = {
        f"{name}, {of}": (lambda kind=kind, train=train: kind(backbone=build(train)))
        for of, train in (("frozen", "none"), ("whole", "all"))
        for name, kind in (("backbone_att2", _build_att2(backbone_attention)), ("backbone_gap", _build_gap(backbone_gap)))
    }
    return Compared(builders, settings.sizes.backbone_batch, settings.sizes.backbone_size)


def _build_att2(kind: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    return lambda backbone: kind(10, ["B", "D"], Parametrised, prune_inert_query=True, backbone=backbone)


def _build_gap(kind: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    return lambda backbone: kind(10, backbone=backbone)
