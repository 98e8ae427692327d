"""One attention map over its picture, in colours that rank by brightness for every eye."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import colormaps
from PIL import Image

from lta.measures.placement import Placement, nearest_cells, pixel_weights, place_evenly

UPSAMPLING = ("nearest", "bilinear")
COLOURS = ("inferno", "viridis", "magma", "plasma", "cividis")
"""matplotlib's perceptually uniform colour tables."""


def overlay(
    image: UInt8[np.ndarray, "height width 3"],
    attn: Float[np.ndarray, "rows columns"],
    upsampling: str = "nearest",
    colours: str = "inferno",
    strength: float = 0.7,
    highest: float | None = None,
    placement: Placement | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture in grey under the map's colours, from 0 to `highest`, or where that is None to the map's own maximum.

    With the default colours black stands for no attention, so that the dimmed picture stays visible where none lies.
    `strength` is the share of the colour: 1 shows the map alone. Each value is shown where `placement` says that its cell
    lies (None: the cells part the picture evenly): "nearest" keeps one block per attention value, so that nobody takes 8x8
    values for more; "bilinear" is for looking at. Without `highest` a map that is zero everywhere counts as uniform and
    takes, as every uniform map, the colour of the maximum.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength={strength} must be between 0 (picture alone) and 1 (map alone)")
    table = np.rint(strength * colour_table(colours)).astype(np.uint8)
    shade = np.rint(upsample(normalise_map(attn, highest) * 255, image.shape[:2], upsampling, placement)).astype(np.uint8)
    return table.take(shade, axis=0) + backdrop(image, 1 - strength)[..., None]


def normalise_map(
    attn: Float[np.ndarray, "rows columns"], highest: float | None = None
) -> Float[np.ndarray, "rows columns"]:
    """The map divided by `highest`, None: its maximum; float32, 0 to 1."""
    attn = np.asarray(attn, np.float32)
    divisor = attn.max() if highest is None else highest
    return attn / divisor if divisor > 0 else np.ones_like(attn)


def upsample(
    attn: Float[np.ndarray, "rows columns"],
    size: tuple[int, int],
    upsampling: str = "nearest",
    placement: Placement | None = None,
) -> Float[np.ndarray, "height width"]:
    """To `size` (height, width): a pixel shows the cell whose centre is nearest to its own, or lies between the nearest two.

    Where they lie is said by `placement`; None: they part the picture evenly.
    """
    rows, columns = attn.shape
    top, down, left, across = placement or place_evenly((rows, columns))
    sides = ((rows, top, down, size[0]), (columns, left, across, size[1]))
    if upsampling == "bilinear":
        vertical, horizontal = (pixel_weights(*side) for side in sides)
        return (vertical @ attn @ horizontal.T).astype(np.float32)
    if upsampling == "nearest":
        vertical, horizontal = (nearest_cells(*side) for side in sides)
        return attn[vertical[:, None], horizontal]
    raise ValueError(f"upsampling={upsampling} is unknown; choose one of {', '.join(UPSAMPLING)}")


@lru_cache(None)
def colour_table(colours: str) -> UInt8[np.ndarray, "256 3"]:
    """The 256 colours of a name in `COLOURS`. Raises ValueError for others."""
    if colours not in COLOURS:
        raise ValueError(f"colours={colours} is unknown; choose one of {', '.join(COLOURS)}")
    return colormaps[colours](np.arange(256), bytes=True)[:, :3]


def backdrop(image: UInt8[np.ndarray, "height width 3"], share: float) -> UInt8[np.ndarray, "height width"]:
    """The picture in grey, 0 to 255 * `share`, its contrast stretched: dark pictures show under colours too."""
    grey = np.asarray(Image.fromarray(image).convert("L"))
    low, high = int(grey.min()), int(grey.max())
    values = np.arange(256.0) if low == high else (np.arange(256.0) - low).clip(0, high - low) * (255 / (high - low))
    return np.floor(values * share).astype(np.uint8).take(grey)  # rounded down: a sum with the colour stays below 256
