"""What is not attended loses its light, or its colour."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms.v2.functional import rgb_to_grayscale

from lta.checks import require_share
from lta.effects.blend import blend


def spotlight(
    picture: UInt8[Tensor, "3 height width"],
    attention: Float[Tensor, "height width"],
    alpha: UInt8[Tensor, "height width"] | None = None,
    strength: float = 0.8,
) -> UInt8[Tensor, "3 height width"]:
    """Darker by `strength` (0 to 1, black) where `attention` is 0; as it is to the bit where it is 1."""
    require_share("strength", strength)
    return blend(picture, torch.zeros(1, dtype=torch.uint8).expand_as(picture), strength * (1 - attention))


def desaturate(
    picture: UInt8[Tensor, "3 height width"],
    attention: Float[Tensor, "height width"],
    alpha: UInt8[Tensor, "height width"] | None = None,
    strength: float = 1.0,
) -> UInt8[Tensor, "3 height width"]:
    """Greyer by `strength` (0 to 1, grey; ITU-R 601 luma) where `attention` is 0; as it is to the bit where it is 1."""
    require_share("strength", strength)
    return blend(picture, rgb_to_grayscale(picture, 3), strength * (1 - attention))
