"""Which mask belongs to which picture."""

import numpy as np
import pytest
from PIL import Image

from lta.data.errors import DataError
from lta.teach.pairs import find_pairs


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.full((4, 4), 255, np.uint8)).save(folder / name)


def names(found):
    return [(image.rpartition("/")[2], mask.rpartition("/")[2]) for _, image, mask in found]


def test_by_the_name_with_something_behind_it(tmp_path):
    put(tmp_path / "p", "cat.jpg", "cat_2.jpg", "dog.png", "unmasked.jpg")
    put(tmp_path / "m", "cat_mask.png", "cat_2-mask.png", "dog.png")
    found, without = find_pairs(tmp_path / "m", tmp_path / "p")
    assert names(found) == [("cat.jpg", "cat_mask.png"), ("cat_2.jpg", "cat_2-mask.png"), ("dog.png", "dog.png")]
    assert without == 1
    assert all((pair.root / pair.image).is_file() and (pair.root / pair.mask).is_file() for pair in found)


def test_masks_below_the_pictures_and_beside_them(tmp_path):
    put(tmp_path / "p", "a.png")
    put(tmp_path / "p" / "masks", "a.png")
    assert names(find_pairs(tmp_path / "p" / "masks", tmp_path / "p")[0]) == [("a.png", "a.png")]
    put(tmp_path / "both" / "images", "a.png")
    put(tmp_path / "both" / "masks", "a.png")
    assert names(find_pairs(tmp_path / "both", None)[0]) == [("a.png", "a.png")]


@pytest.mark.parametrize(
    ("pictures", "masks", "message"),
    [
        (["a.png"], ["b.png"], "m/b.png has no picture of its name in images="),
        (["a.png"], ["ab.png"], "m/ab.png has no picture of its name in images="),
        (["a.png"], ["a.png", "a_mask.png"], "a.png has two masks in masks=.*: a.png and a_mask.png"),
        (["a.png", "a.jpg"], ["a.png"], "has several pictures named a, of which a mask can't tell one"),
        (["a.png"], [], "m holds no pictures; a mask is a picture"),
    ],
)
def test_what_does_not_go_together(tmp_path, pictures, masks, message):
    put(tmp_path / "p", *pictures)
    put(tmp_path / "m", *masks)
    with pytest.raises(DataError, match=message):
        find_pairs(tmp_path / "m", tmp_path / "p")


def test_folders_that_are_not_there(tmp_path):
    put(tmp_path / "p", "a.png")
    with pytest.raises(DataError, match=r"masks=.*nowhere does not exist"):
        find_pairs(tmp_path / "nowhere", tmp_path / "p")
    with pytest.raises(DataError, match=r"masks=.*nowhere is not a folder"):
        find_pairs(tmp_path / "nowhere", None)
    with pytest.raises(DataError, match=r"masks=.*p has no folder images/"):
        find_pairs(tmp_path / "p", None)
