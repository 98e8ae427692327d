"""What is not attended goes out of focus."""

from jaxtyping import Float, UInt8
from torch import Tensor

from lta.checks import require_share
from lta.effects.lens import defocus


def autoblur(
    picture: UInt8[Tensor, "3 height width"],
    attention: Float[Tensor, "height width"],
    alpha: UInt8[Tensor, "height width"] | None = None,
    strength: float = 1.0,
    radius: float = 0.03,
) -> UInt8[Tensor, "3 height width"]:
    """Discs that grow as `attention` falls: at 1 the picture stays as it is to the bit.

    At 0 they have `strength` (0 to 1) of `radius`, a share of the picture's shorter side, at most 0.25. What is attended
    gives no light to what is not (`lens.defocus`).
    """
    require_share("strength", strength)
    return defocus(picture, strength * (1 - attention), radius, alpha)
