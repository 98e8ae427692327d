"""The border of an object in its picture."""

import numpy as np

from lta.viz.outline import COLOUR, draw_outline


def test_the_border_lies_inside_the_object():
    mask = np.zeros((4, 4), bool)
    mask[1:3, 0:2] = True
    image = np.zeros((16, 16, 3), np.uint8)
    drawn = (draw_outline(image, mask) == COLOUR).all(2)
    expected = np.zeros((16, 16), bool)
    expected[4:12, 0:8] = True
    expected[5:11, 1:7] = False
    assert (drawn == expected).all()
    assert not image.any(), "the picture itself stays as it is"
    assert (draw_outline(image, mask, width=4) == COLOUR).all(2).sum() == 64
