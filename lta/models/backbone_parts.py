"""Parts of a backbone, shallow to deep, of which the last ones are trained and the others are as they were pretrained."""

from collections.abc import Collection, Sequence
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def list_parts(model: nn.Module, class_layer: str) -> list[list[str]]:
    """Names of parameters by part, as timm groups them: stages, or blocks of a ViT; without the class layer's. What lies
    behind the last part, as a norm or a layer that only the query passes, belongs to it."""
    from timm.models import group_parameters

    of_timm: Any = model
    groups = group_parameters(model, of_timm.group_matcher(coarse=True))
    parts = [list(names) for _, names in sorted(groups.items())]
    behind = any(name.startswith(f"{class_layer}.") for name in parts[-1])
    parts = [[name for name in part if not name.startswith(f"{class_layer}.")] for part in parts]
    if behind and len(parts) > 1:
        parts[-2:] = [parts[-2] + parts[-1]]
    return [part for part in parts if part]


def choose_parts(parts: Sequence[list[str]], train: str | int) -> list[list[str]]:
    """Those that are trained: `train` is "none", "last", "all" or how many of the last; raises ValueError for others."""
    numbers = {"none": 0, "last": 1, "all": len(parts)}
    number = train if type(train) is int else numbers.get(str(train))
    if number is None or not 0 <= number <= len(parts):
        raise ValueError(f"model.backbone.train={train} must be none, last, all or a number of parts up to {len(parts)}")
    return list(parts[len(parts) - number :])


def freeze(model: nn.Module, trained: Collection[str], keep_statistics: bool) -> list[nn.Module]:
    """Leaves only the parameters of these names to be trained. Returns the layers that act otherwise while they are trained;
    batch norms whose statistics stay as they are have `keeps_statistics` from now on."""
    for name, weight in model.named_parameters():
        weight.requires_grad_(name in trained)
    acting = [
        module
        for name, module in model.named_modules()
        if any(f"{name}.{own}" in trained for own, _ in module.named_parameters(recurse=False))
        and not (keep_statistics and isinstance(module, _BatchNorm))
    ]
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module not in acting:
            vars(module)["keeps_statistics"] = True
    return acting


def compute_blocks_again(model: nn.Module, name: str, statistics: str) -> None:
    """For the gradient, so that only what lies between blocks is kept until then; timm does it. Raises ValueError for a
    network that can't, and where batch norms would count each batch twice."""
    given = "model.backbone.checkpointing=true"
    if statistics == "trained":
        raise ValueError(f"{given} shows batch norms each batch twice: give model.backbone.statistics=kept")
    of_timm: Any = model
    try:
        of_timm.set_grad_checkpointing(True)
    except (AssertionError, AttributeError) as error:
        raise ValueError(f"{given}: timm can't compute blocks of {name} again") from error
