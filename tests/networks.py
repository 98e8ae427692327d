"""Networks as their names on the command line build them."""

from functools import cache

import hydra
import torch
from omegaconf import DictConfig

from lta.config import build
from lta.messages import CONF

TINY_VGG = ("model.width=0.0625", "model.dropout=0")
TINY_RN = ("model.width=0.25", "model.depth=20")


@cache
def composed(*overrides: str) -> DictConfig:
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose("config", list(overrides))


def tiny(model: str) -> tuple[str, ...]:
    if model == "rn164":
        return TINY_RN  # no dropout to be turned off
    return (*TINY_RN, "model.dropout=0") if model.startswith("rn") else TINY_VGG


def network(*overrides: str, num_classes: int = 10, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build(composed(*overrides).model)(num_classes=num_classes)


def double(model: str, *overrides: str, num_classes: int = 5) -> torch.nn.Module:
    """In double precision and evaluation mode, from maps that are not uniform."""
    return (
        network(f"model={model}", "model.init.scorer=author", *tiny(model), *overrides, num_classes=num_classes)
        .double()
        .eval()
    )
