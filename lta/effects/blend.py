"""Two pictures in one, as a map says at each pixel."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lta.effects.blur import mix

ROWS = 256
"""At a time: in floating point a photograph takes four times its memory."""


def blend(
    picture: UInt8[Tensor, "channels height width"],
    other: UInt8[Tensor, "channels height width"],
    amount: Float[Tensor, "height width"],
) -> UInt8[Tensor, "channels height width"]:
    """`other` in the share that `amount` (0 to 1) says: exactly `picture` at 0, exactly `other` at 1."""
    out = torch.empty_like(picture)
    for top in range(0, picture.shape[1], ROWS):
        rows = slice(top, top + ROWS)
        out[:, rows] = mix(picture[None, :, rows], other[None, :, rows], amount[None, rows])[0]
    return out
