"""A data set of one's own: is there a patch of upright or of lying stripes somewhere in the noise?"""

import numpy as np

from lta.data.base import ImageData
from lta.data.batches import Split


class Stripes(ImageData):
    """`size` images of 32 x 32 pixels in each of train, val and test; class 0 has upright stripes, class 1 lying ones."""

    def __init__(self, size: int = 256, batch_size: int = 32, eval_batch_size: int = 256, seed: int = 0):
        super().__init__(batch_size, eval_batch_size, seed)
        self.size = size

    def load(self):
        return ("upright", "lying"), *(self.draw(np.random.default_rng(part)) for part in range(3))

    def draw(self, rng):
        images = rng.integers(96, 160, (self.size, 32, 32, 3), dtype=np.uint8)
        labels = rng.integers(0, 2, self.size)
        stripes = np.tile(np.array([0, 0, 255, 255], np.uint8), (12, 3))[..., None]
        for image, label in zip(images, labels, strict=True):
            top, left = rng.integers(0, 20, 2)
            image[top : top + 12, left : left + 12] = stripes.swapaxes(0, 1) if label else stripes
        return Split(images, labels)
