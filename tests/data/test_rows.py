import numpy as np
import pytest

from lta.data.batches import Split
from lta.data.rows import Rows

ARRAY = np.arange(10 * 4 * 3 * 2, dtype=np.uint8).reshape(10, 4, 3, 2)
INDEX = np.array([7, 2, 2, 9, 0])
KEYS = (
    3,
    -1,
    np.int64(2),
    slice(1, 4),
    slice(None, None, 2),
    np.array([4, 0]),
    np.array([], int),
    [1, 1],
    INDEX > 1,
    (2, 1),
    (slice(1, 3), 0, 2),
    (np.array([0, 3]), slice(None), 1),
    (Ellipsis, 0),
    (slice(None), Ellipsis, 1),
)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_rows_are_indexed_like_the_array_that_they_stand_for(key):
    assert np.array_equal(Rows(ARRAY, INDEX)[key], ARRAY[INDEX][key])


def test_rows_of_rows_are_rows_of_the_array():
    inner = Rows(Rows(ARRAY, INDEX), np.array([3, 1]))
    assert inner.array is ARRAY
    assert np.array_equal(inner, ARRAY[INDEX][[3, 1]])
    assert (inner.shape, inner.dtype, len(inner)) == ((2, 4, 3, 2), np.uint8, 2)


def test_an_array_of_them_is_a_copy_and_nothing_else():
    rows = Rows(ARRAY, INDEX)
    assert np.asarray(rows, np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="must be a copy"):
        np.asarray(rows, copy=False)


def test_a_view_of_a_split_copies_no_images():
    split = Split(ARRAY, np.arange(10), roles=ARRAY[..., 0], sources=np.arange(10))
    view, taken = split.view(INDEX), split.take(INDEX)
    assert view.images.array is ARRAY
    for mine, expected in zip(view, taken, strict=True):
        assert expected is None or np.array_equal(mine, expected)
    assert view.side_labels is None
    assert np.array_equal(view.take(np.array([1])).images, ARRAY[[2]])
