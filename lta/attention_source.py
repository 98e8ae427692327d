"""Where a picture's attention comes from: a trained network, or a mask."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lta import checks
from lta.effects.attention_mask import on_picture, stretched
from lta.measures.pixel_maps import COMBINATIONS, combine, density
from lta.pictures.read import Picture, UnusablePicture, read

MAP_SIDE = 256
"""Cells along the longer side, on which levels of different resolution are put together."""

EDGES = 0.05
"""Of a network's maps, whose cells are that large and larger."""


class Attended(NamedTuple):
    """How much each pixel is attended, 0 to 1, and what is to be said of it."""

    mask: Float[Tensor, "height width"]
    said: tuple[str, ...]


Source = Callable[[Picture], Attended]


def from_network(checkpoint: str, which: str, device: torch.device, attention: Mapping[str, Any]) -> Source:
    """The maps of a trained network, which sees the whole picture at the size that it was trained on.

    Raises ValueError where it makes no maps, or none of the levels asked for.
    """
    # Imported here: a mask needs no network.
    from lta.checkpoint import load

    checks.choice("attention.combine", attention["combine"], COMBINATIONS)
    checks.flag("attention.invert", attention["invert"])
    classifier = load(checkpoint, which).to(device)
    height, width = classifier.hparams["image_size"]

    def attended(picture: Picture) -> Attended:
        whole = Image.fromarray(picture.rgb.permute(1, 2, 0).numpy()).resize((width, height), Image.Resampling.BICUBIC)
        seen = torch.from_numpy(np.array(whole)).permute(2, 0, 1)[None]
        with torch.inference_mode():
            output = classifier(seen.to(device))
        levels = _levels(attention["levels"], tuple(output.attn), checkpoint)
        rows, columns = picture.rgb.shape[1:]
        scale = MAP_SIDE / max(rows, columns)
        size = (max(1, round(rows * scale)), max(1, round(columns * scale)))
        maps = [density(output.attn[level].cpu(), size) for level in levels]
        together = maps[0] if len(maps) == 1 else combine(maps, attention["combine"])
        mask, prefers = stretched(together[0], attention["low"], attention["high"])
        share, index = output.logits.float().softmax(1)[0].max(0)
        said = [
            f"seen as {classifier.class_names[index]} ({100 * share:.0f} %)",
            f"level{'s' * (len(levels) > 1)} {', '.join(levels)}",
        ]
        if not prefers:
            said.append("the map prefers nothing: all of the picture counts as attended")
        return Attended(_finished(mask, picture, attention, EDGES), tuple(said))

    return attended


def from_mask(path: str, attention: Mapping[str, Any]) -> Source:
    """The light of a picture. Raises ValueError where it can't be read, or where a picture has another size."""
    checks.flag("attention.invert", attention["invert"])
    if attention["levels"] is not None:
        raise ValueError(f"attention.levels={attention['levels']} is of a network; mask={path} has none")
    mask = read(path).rgb.float().mean(0) / 255

    def attended(picture: Picture) -> Attended:
        if picture.rgb.shape[1:] != mask.shape:
            theirs, ours = (f"{shape[-1]} x {shape[-2]}" for shape in (picture.rgb.shape, mask.shape))
            raise UnusablePicture(f"{picture.path} has {theirs} pixels, mask={path} {ours}")
        return Attended(_finished(mask, picture, attention, 0), ())

    return attended


def _levels(asked: Any, there: Sequence[str], checkpoint: str) -> list[str]:
    if not there:
        raise ValueError(f"checkpoint={checkpoint} is of a network without attention maps")
    levels = list(there) if asked is None else [asked] if isinstance(asked, str) else list(asked)
    for level in levels:
        checks.choice("attention.levels", level, there)
    if not levels:
        raise ValueError(f"attention.levels=[] names none; choose of {', '.join(there)}")
    return levels


def _finished(mask: Tensor, picture: Picture, attention: Mapping[str, Any], edges: float) -> Tensor:
    asked = attention["edges"]
    mask = on_picture(mask, picture.rgb, edges if asked is None else asked, attention["feather"])
    return 1 - mask if attention["invert"] else mask
