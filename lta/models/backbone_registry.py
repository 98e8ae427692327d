"""Which networks of timm there are, what they are made for, and how one is put together. Nothing is downloaded here."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?")
"""An architecture of timm's registry, perhaps with the tag of one of its trainings. What timm would read from elsewhere by
its name (`hf-hub:...`, `local-dir:...`) is none."""

STRIDES = {"A": 8, "B": 16, "C": 32}
"""Pixels from cell to cell, by level, in a network that is made of stages."""

LAST = "D"
"""The level of the last features before the class layer."""

OUTPUT_STRIDES = (8, 16, 32)

ANY_SIZE: tuple[dict[str, Any], ...] = ({"dynamic_img_size": True}, {"strict_img_size": False}, {})
"""Settings by which networks take pictures of other sizes than they were made for: of ViTs, of Swin, of convolutions."""


class Facts(NamedTuple):
    """What timm says of a network's pretraining. `mean` and `std` of pictures from 0 to 1; `size` (height, width)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]
    license: str
    hub: str | None
    class_layer: str | None


class Anatomy(NamedTuple):
    """`indices`: of levels A, B and C among what `forward_intermediates` gives. `channels` and `strides` (pixels) by level;
    `query`: channels of the vector that the class layer reads."""

    indices: tuple[int, ...]
    channels: Mapping[str, int]
    strides: Mapping[str, float]
    query: int


def require_timm() -> None:
    """Raises ValueError where it is not installed."""
    if find_spec("timm") is None:
        raise ValueError(
            "model.backbone needs timm, which is not installed: pip install timm (lta's extra [backbone] has it)"
        )


@cache
def read_facts(name: str) -> Facts:
    """Of a network that timm's registry has; raises ValueError for any other name."""
    require_timm()
    import timm

    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(
            f"model.backbone.name={name} must be a name of timm's registry: lower-case letters, digits, _ and one dot"
        )
    if not timm.is_model(name):
        near = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), n=3)
        raise ValueError(
            f"model.backbone.name={name}: timm {timm.__version__} has no such network"
            + (f"; did you mean {', '.join(near)}?" if near else "")
        )
    try:
        cfg = timm.get_pretrained_cfg(name)
    except RuntimeError as error:
        raise ValueError(f"model.backbone.name={name}: timm has no such pretrained version of it ({error})") from error
    if cfg is None:
        raise ValueError(f"model.backbone.name={name}: timm does not say what pictures it was made for")
    _, height, width = cfg.input_size
    layer = cfg.classifier if isinstance(cfg.classifier, str) else None
    return Facts(tuple(cfg.mean), tuple(cfg.std), (height, width), cfg.license or "", cfg.hf_hub_id, layer)


def build_model(name: str, output_stride: int | None = None) -> nn.Module:
    """The network with random weights, in eval mode, on the default device; raises ValueError where it can't be built."""
    facts = read_facts(name)
    import timm

    wanted = {} if output_stride is None else {"output_stride": output_stride}
    if output_stride not in (None, *OUTPUT_STRIDES):
        raise ValueError(f"model.backbone.output_stride={output_stride} must be 8, 16, 32 or null")
    for more in ANY_SIZE:
        try:
            model = timm.create_model(name, pretrained=False, **wanted, **more)
        except TypeError as error:
            if more and any(key in str(error) for key in more):
                continue
            if "output_stride" in str(error):
                raise ValueError(f"model.backbone.output_stride={output_stride}: {name} has no such setting") from error
            raise
        except (NotImplementedError, AssertionError) as error:
            raise ValueError(f"model.backbone.name={name} with output_stride={output_stride}: {error}") from error
        if not hasattr(model, "forward_intermediates") or not hasattr(model, "forward_head"):
            raise ValueError(f"model.backbone.name={name}: timm can't give the features of its inner layers")
        if facts.class_layer is None:
            raise ValueError(f"model.backbone.name={name} does not have exactly one class layer, which lta needs")
        return model.eval()
    raise AssertionError("the last settings are none")


@cache
def examine(name: str, output_stride: int | None = None) -> Anatomy:
    """Found by a dry run on the meta device, which computes nothing. Raises ValueError where the levels are not there."""
    size = read_facts(name).size
    indices = _find_stages(name, *_run_dry(name, None, size))
    maps, final, query = _run_dry(name, output_stride, size)
    levels = dict(zip(STRIDES, (maps[index] for index in indices), strict=True))
    levels[LAST] = final
    strides = {level: size[0] / feature.shape[2] for level, feature in levels.items()}
    return Anatomy(indices, {level: feature.shape[1] for level, feature in levels.items()}, strides, query.shape[1])


@cache
def check_size(name: str, output_stride: int | None, size: tuple[int, int]) -> None:
    """Raises ValueError where the network does not take pictures of `size` (height, width)."""
    given = f"pictures of {size[1]} x {size[0]} do not go with model.backbone.name={name}"
    try:
        maps, _, _ = _run_dry(name, output_stride, size)
    except (AssertionError, RuntimeError, ValueError) as error:
        made_for = read_facts(name).size[0]
        raise ValueError(f"{given}: {str(error).splitlines()[0]} (it was made for data.image_size={made_for})") from error
    if min(min(feature.shape[2:]) for feature in maps) < 1:
        raise ValueError(f"{given}: too small, because nothing is left at the deepest level")


def _run_dry(name: str, output_stride: int | None, size: tuple[int, int]) -> tuple[list[Tensor], Tensor, Tensor]:
    """All maps from inside, shallow to deep, the last features and the query, of one picture on the meta device."""
    with torch.device("meta"), _no_random_numbers():
        model = build_model(name, output_stride)
        images = torch.zeros(1, 3, *size)
        return read_features(model, images)


@contextmanager
def _no_random_numbers() -> Iterator[None]:
    """What is drawn inside is not missing outside."""
    with torch.random.fork_rng(devices=[]):
        yield


def _find_stages(name: str, maps: list[Tensor], final: Tensor, query: Tensor) -> tuple[int, ...]:
    """A, B and C: the last map of each stride, or, where all have the same, the last ones of each third of the depth."""
    height = read_facts(name).size[0]
    strides = [round(height / feature.shape[2], 2) for feature in maps]
    if len({*strides}) == 1 and len(maps) >= 3:
        return tuple(round(len(maps) * third / 3) - 1 for third in (1, 2, 3))
    found = []
    for wanted in STRIDES.values():
        fitting = [index for index, stride in enumerate(strides) if abs(stride - wanted) < 0.15 * wanted]
        if not fitting:
            known = ", ".join(f"{stride:g}" for stride in strides)
            raise ValueError(
                f"model.backbone.name={name}: its maps lie at strides of {known} pixels; levels A, B, C need 8, 16 and 32"
            )
        found.append(fitting[-1])
    return tuple(found)


def read_features(
    model: nn.Module, images: Tensor, indices: Sequence[int] | None = None
) -> tuple[list[Tensor], Tensor, Tensor]:
    """Maps from inside (those of `indices`), the last features, both `(batch, channels, height, width)`, and the vector that
    the class layer reads, `(batch, channels)`."""
    of_timm: Any = model
    final, maps = of_timm.forward_intermediates(images, indices=indices and [*indices], output_fmt="NCHW")
    return maps, _arrange_map(model, final, maps[-1]), of_timm.forward_head(final, pre_logits=True)


def _arrange_map(model: nn.Module, final: Tensor, deepest: Tensor) -> Tensor:
    """What `forward_features` ends with as (batch, channels, height, width): tokens become a map like `deepest`, without
    those that stand for no place."""
    if final.ndim == 4:
        return final.permute(0, 3, 1, 2) if getattr(model, "output_fmt", "NCHW") == "NHWC" else final
    if final.ndim != 3:
        raise ValueError(f"model.backbone: {type(model).__name__} ends with features of {final.ndim} axes, not of a map")
    places = final[:, getattr(model, "num_prefix_tokens", 0) :]
    return places.transpose(1, 2).unflatten(2, deepest.shape[2:])
