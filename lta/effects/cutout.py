"""What is attended, on nothing."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lta.checks import require_share


def cutout(
    picture: UInt8[Tensor, "3 height width"],
    attention: Float[Tensor, "height width"],
    alpha: UInt8[Tensor, "height width"] | None = None,
    strength: float = 1.0,
) -> UInt8[Tensor, "4 height width"]:
    """Red, green, blue, and alpha: the picture's own times `attention`; with `strength` (0 to 1) 0 it stays as it was."""
    require_share("strength", strength)
    kept = torch.lerp(torch.ones(()), attention, strength).mul_(255 if alpha is None else alpha)
    return torch.cat([picture, kept.round_().to(torch.uint8)[None]])
