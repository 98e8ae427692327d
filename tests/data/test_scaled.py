"""Pictures that are scaled when they are asked for."""

import numpy as np
import pytest
from PIL import Image
from test_rows import KEYS

from lta.data.batches import Split
from lta.data.rows import Rows
from lta.data.scaled import Scaled, find_stored

PICTURES = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3)).astype(np.uint8)


@pytest.mark.parametrize("size", [(32, 24), (11, 17), (4, 3), (8, 6)])
def test_they_are_what_pillow_makes_of_them(size):
    expected = [Image.fromarray(one).resize(size[::-1], Image.Resampling.BILINEAR) for one in PICTURES]
    found = Scaled(PICTURES, size)
    assert found.shape == (5, *size, 3)
    assert found.dtype == np.uint8
    assert len(found) == 5
    apart = np.asarray(found).astype(int) - np.stack([np.asarray(one) for one in expected])
    assert np.abs(apart).max() <= 1


@pytest.mark.parametrize("key", [key for key in KEYS if not isinstance(key, np.ndarray) or key.dtype != bool], ids=str)
def test_they_are_indexed_like_the_array_that_they_stand_for(key):
    many = np.random.default_rng(1).integers(0, 256, (5, 3, 4, 3)).astype(np.uint8)
    scaled = Scaled(many, (6, 8))
    assert np.array_equal(scaled[key], np.asarray(scaled)[key])


def test_rows_of_them_scale_what_is_asked_for():
    whole = np.asarray(Scaled(PICTURES, (16, 12)))
    split = Split(Scaled(PICTURES, (16, 12)), np.arange(5))
    index = np.array([3, 0, 3])
    assert np.array_equal(split.view(index).images[1:], whole[[0, 3]])
    assert np.array_equal(split.view(index).take(np.array([0])).images, whole[[3]])
    assert np.array_equal(Scaled(Rows(PICTURES, index), (16, 12))[:], whole[index])
    assert split.take(np.arange(0)).images.shape == (0, 16, 12, 3)


def test_pictures_of_their_own_size_stay_as_they_are():
    assert Split(PICTURES, np.arange(5)).scale((8, 6)).images is PICTURES
    assert isinstance(Split(PICTURES, np.arange(5)).scale((8, 8)).images, Scaled)


def test_an_array_of_them_is_a_copy_and_nothing_else():
    assert np.asarray(Scaled(PICTURES, (4, 3)), np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="must be a copy"):
        np.asarray(Scaled(PICTURES, (4, 3)), copy=False)


def test_what_they_are_made_from_is_found():
    index = np.array([3, 0, 3])
    for images, stored, size in (
        (PICTURES, PICTURES, (8, 6)),
        (Rows(PICTURES, index), PICTURES[index], (8, 6)),
        (Scaled(PICTURES, (16, 12)), PICTURES, (16, 12)),
        (Rows(Scaled(PICTURES, (16, 12)), index), PICTURES[index], (16, 12)),
        (Scaled(Rows(PICTURES, index), (16, 12)), PICTURES[index], (16, 12)),
    ):
        found, shown = find_stored(images)
        assert np.array_equal(found[:], stored)
        assert shown == size
