"""What is attended is made unrecognisable: "blur the person out"."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from lta.checks import require_choice, require_share
from lta.effects.blend import blend
from lta.effects.lens import check_radius, defocus
from lta.protocols import Effect

HOW = ("blur", "pixelate", "fill")
WHOLE = 0.5
"""Attention from which squares and fill stand in for all of a pixel."""


def blurout(
    picture: UInt8[Tensor, "3 height width"],
    attention: Float[Tensor, "height width"],
    alpha: UInt8[Tensor, "height width"] | None = None,
    strength: float = 1.0,
    how: str = "blur",
    radius: float = 0.06,
    colour: Sequence[int] = (128, 128, 128),
) -> UInt8[Tensor, "channels height width"]:
    """Where `attention` is 0 the picture stays as it is to the bit; from `WHOLE` on it is replaced by `strength` (0 to 1).

    `how`: "blur" by discs of `radius`, a share of the picture's shorter side, at 1; "pixelate" by squares of twice that
    side; "fill" by `colour` (red, green, blue; 0 to 255). What blur and squares hide can in part be won back where much is
    known of what may stand there, as of faces and number plates; "fill" at full strength leaves nothing from `WHOLE` on,
    and below it, along borders, as much as is to be seen. With `alpha` it returns four channels, opaque where it fills.
    """
    require_share("strength", strength)
    require_choice("how", how, HOW)
    check_radius(radius)
    if len(colour) != 3 or not all(isinstance(value, int) and 0 <= value <= 255 for value in colour):
        shown = colour if isinstance(colour, str) else list(colour)
        raise ValueError(f"colour={shown} must be red, green and blue, whole numbers from 0 to 255")
    if how == "blur":
        return defocus(picture, strength * attention, radius, alpha)
    amount = strength * (attention / WHOLE).clamp(max=1)  # a network is hardly ever wholly sure, and a veil hides nothing
    if how == "pixelate":
        return blend(picture, pixelate_image(picture, radius, alpha), amount)
    filled = blend(picture, torch.tensor(colour, dtype=torch.uint8)[:, None, None].expand_as(picture), amount)
    if alpha is None:
        return filled
    opaque = torch.full_like(alpha, 255)[None]  # a transparent picture's outline would stand there else
    return torch.cat([filled, blend(alpha[None], opaque, amount)])


def hides(effect: Effect) -> bool:
    """Whether it is there to make somebody unrecognisable: then nothing else may give them away."""
    return getattr(effect, "func", effect) is blurout


def warn_of_hiding(effect: Effect, values: Mapping[str, Any]) -> tuple[str, ...]:
    """What an effect with these `values` (of its keywords, in place of its own) is not, in words; () for what promises
    nothing."""
    if not hides(effect):
        return ()
    kept = {**getattr(effect, "keywords", {}), **values}
    if kept.get("how", HOW[0]) != "fill":
        return (f"{kept.get('how', HOW[0])} does not anonymise: a face or a number plate can be recognised or recovered.",)
    if kept.get("strength", 1.0) < 1:
        return ("fill below full strength leaves what was there visible.",)
    return ()


def pixelate_image(
    picture: UInt8[Tensor, "3 height width"], radius: float, alpha: UInt8[Tensor, "height width"] | None = None
) -> UInt8[Tensor, "3 height width"]:
    """Squares of one colour, the mean of what is not transparent there; they are cut off at the right and at the bottom."""
    height, width = picture.shape[1:]
    side = max(2, round(2 * radius * min(height, width)))
    seen = torch.ones(1, height, width) if alpha is None else alpha[None].float() / 255
    blocks = []
    for values in (*picture, None):  # the last: how much is seen
        values = seen if values is None else values[None] * seen
        blocks.append(F.avg_pool2d(values, side, ceil_mode=True, divisor_override=1))
    colours = torch.cat(blocks[:3]) / blocks[3].clamp(min=1e-6)
    squares = colours.round_().clamp_(0, 255).to(torch.uint8)
    return squares.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, :height, :width]
