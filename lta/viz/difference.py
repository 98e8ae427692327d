"""What two maps of one picture differ in: where attention has come to, and where it has left."""

import numpy as np
from jaxtyping import Float, UInt8

from lta.measures.placement import Placement
from lta.viz.colour import backdrop, upsample

CAME, LEFT = np.array([213, 94, 0]), np.array([0, 114, 178])
"""Vermilion and blue of Okabe and Ito's palette, which colour-blind eyes tell apart."""
DARKEST = 70
"""Of the grey: both colours show on dark pictures too."""


def difference(
    image: UInt8[np.ndarray, "height width 3"],
    before: Float[np.ndarray, "rows columns"],
    after: Float[np.ndarray, "rows columns"],
    placement: Placement | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture in grey, vermilion where `after` is higher, blue where it is lower.

    The cells lie where `placement` says, None: evenly. Colours are full where the change is as large as the larger map's
    maximum, never scaled to the change itself: rounding leaves the picture grey.
    """
    change = np.asarray(after, np.float64) - before
    change /= max(before.max(), after.max(), np.finfo(np.float64).tiny)
    strength = upsample(change, image.shape[:2], placement=placement)[..., None].clip(-1, 1)
    colour = np.where(strength > 0, CAME, LEFT)
    grey = DARKEST + backdrop(image, 0.4)[..., None].astype(np.float64)
    return np.rint(grey + np.abs(strength) * (colour - grey)).astype(np.uint8)
