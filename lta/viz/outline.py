"""An object's border drawn into its picture."""

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image
from scipy.ndimage import binary_erosion

COLOUR = (255, 80, 255)  # few pictures have it


def draw_outline(
    image: UInt8[np.ndarray, "height width 3"], mask: Bool[np.ndarray, "rows columns"], width: int = 1
) -> UInt8[np.ndarray, "height width 3"]:
    """The border lies inside the object, `width` pixels of the picture wide; the mask is stretched over the picture."""
    stretched = np.asarray(Image.fromarray(mask).resize(image.shape[1::-1], Image.Resampling.NEAREST))
    framed = np.pad(stretched, width)  # what touches the picture's edge has a border there, too
    inner = np.asarray(binary_erosion(framed, iterations=width), bool)[width:-width, width:-width]
    image = image.copy()
    image[stretched & ~inner] = COLOUR
    return image
