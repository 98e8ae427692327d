"""The map itself, in colours over the picture."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lta.viz.colour import overlay


def heatmap(
    picture: UInt8[Tensor, "3 height width"],
    attention: Float[Tensor, "height width"],
    alpha: UInt8[Tensor, "height width"] | None = None,
    strength: float = 0.7,
    colours: str = "inferno",
) -> UInt8[Tensor, "3 height width"]:
    """The picture in grey under the map's colours: the table's darkest is 0, its brightest 1.

    `strength` (0 to 1) is the share of the colours; `colours` is one of the tables of `lta.viz.colour`.
    """
    shown = overlay(picture.permute(1, 2, 0).numpy(), attention.numpy(), "nearest", colours, strength, highest=1.0)
    return torch.from_numpy(shown).permute(2, 0, 1)
