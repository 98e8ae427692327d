"""Signed differences of maps as colours."""

import numpy as np

from lta.viz.difference import CAME, LEFT, difference

GREY = np.full((4, 4, 3), 90, np.uint8)


def test_colours_say_where_attention_came_and_left():
    before, after = np.zeros((2, 2)), np.zeros((2, 2))
    before[0, 0] = after[1, 1] = 0.7
    shown = difference(GREY, before, after)
    assert (shown[:2, :2] == LEFT).all()
    assert (shown[2:, 2:] == CAME).all()
    assert (shown[:2, 2:] == shown[0, 2]).all()
    assert len(set(shown[0, 2].tolist())) == 1  # grey


def test_rounding_leaves_the_picture_grey():
    before = np.random.default_rng(0).random((4, 4))
    shown = difference(GREY, before, before * (1 + 1e-7))
    assert (shown == shown[..., :1]).all()
