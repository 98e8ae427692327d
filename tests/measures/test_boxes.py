"""Boxes of maps whose answer is known by hand."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from lta.measures.boxes import BOX_THRESHOLDS, draw_boxes, fill_boxes, fit_boxes

WHOLE = [0, 0, 6, 5]


def draw(*regions):
    """Boxes by threshold of a map of 5 x 6 pixels that is 0 but for `regions`: (rows, columns, value)."""
    pixels = torch.zeros(1, 5, 6)
    for rows, columns, value in regions:
        pixels[0, rows, columns] = value
    return dict(zip(BOX_THRESHOLDS, draw_boxes(pixels)[0].tolist(), strict=True))


def test_the_box_is_that_of_the_largest_region_and_not_of_the_highest():
    """2 x 2 pixels of 1 in the corner; 5 x 1 of 0.5 in the fifth column: below 0.5 of the range both are there."""
    for threshold, box in draw(([[0], [1]], [0, 1], 1.0), (slice(None), 4, 0.5)).items():
        assert box == ([4, 0, 5, 5] if threshold <= 0.5 else [0, 0, 2, 2]), threshold


def test_of_regions_alike_the_first_is_taken():
    assert draw((0, [1, 2], 1.0), (3, [4, 5], 1.0))[1] == [1, 0, 3, 1]


def test_corners_touch():
    found = draw(([0, 1, 2], [1, 2, 3], 1.0), (4, [4, 5], 1.0))
    assert found[1] == [1, 0, 4, 3], "three pixels along a diagonal are one region"


def test_a_map_that_is_the_same_everywhere_gets_the_whole_picture():
    assert all(box == WHOLE for box in draw((slice(None), slice(None), 0.3)).values())


def test_only_the_range_of_a_map_counts():
    pixels = torch.rand(3, 7, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (draw_boxes(pixels) == draw_boxes(5 + 4 * pixels)).all()


def test_boxes_are_those_of_each_threshold_by_itself():
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((4, 1, 5, 6)))
    pixels = torch.nn.functional.interpolate(coarse, (24, 31), mode="bilinear")[:, 0]
    for one, found in zip(pixels, draw_boxes(pixels), strict=True):
        relative = ((one - one.min()) / (one.max() - one.min())).numpy()
        for threshold, box in zip(BOX_THRESHOLDS, found, strict=True):
            regions, _ = ndimage.label(relative >= threshold, np.ones((3, 3)))
            down, across = ndimage.find_objects(regions)[np.bincount(regions.ravel())[1:].argmax()]
            assert box.tolist() == [across.start, down.start, across.stop, down.stop], threshold


def test_the_best_fit_counts():
    """1 / 7 with the first, 1 / 4 with the second, nothing with the third; NaN is no box."""
    drawn = np.array([[[0, 0, 2, 2]], [[0, 0, 2, 2]], [[0, 0, 2, 2]]])
    boxes = np.full((3, 2, 4), np.nan)
    boxes[0, 0] = 1, 1, 3, 3
    boxes[1] = [1, 1, 3, 3], [0.5, 0.5, 1.5, 1.5]
    boxes[2, 0] = 2, 0, 4, 2
    assert fit_boxes(drawn, boxes)[:, 0] == pytest.approx([1 / 7, 1 / 4, 0])


def test_pixels_lie_in_a_box_by_their_centres():
    boxes = np.full((1, 2, 4), np.nan)
    boxes[0, 0] = 0.5, 0.6, 2.4, 2
    assert fill_boxes(boxes, (3, 4))[0].astype(int).tolist() == [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    boxes[0, 1] = 3, 0, 4, 3
    assert fill_boxes(boxes, (3, 4))[0].astype(int).tolist() == [[0, 0, 0, 1], [1, 1, 0, 1], [0, 0, 0, 1]]
