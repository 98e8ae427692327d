"""Which mask belongs to which picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lta.data.errors import DataError
from lta.teach.lessons import read_lessons
from lta.teach.pairs import find_pairs


def put(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.full((4, 4), 255, np.uint8)).save(folder / name)


def names(found):
    return [(pair.image, Path(pair.mask).name) for pair in found]


def test_by_the_name_with_something_behind_it(tmp_path):
    put(tmp_path / "p", "cat.jpg", "cat_2.jpg", "dog.png", "unmasked.jpg")
    put(tmp_path / "m", "cat_mask.png", "cat_2_mask.png", "dog_mask.png")
    found, without = find_pairs(tmp_path / "m", tmp_path / "p")
    assert names(found) == [("cat.jpg", "cat_mask.png"), ("cat_2.jpg", "cat_2_mask.png"), ("dog.png", "dog_mask.png")]
    assert without == 1


def test_masks_below_the_pictures_and_beside_them(tmp_path):
    put(tmp_path / "p", "a.png")
    put(tmp_path / "p" / "masks", "a.png")
    assert names(find_pairs(tmp_path / "p" / "masks", tmp_path / "p")[0]) == [("a.png", "a.png")]
    put(tmp_path / "both" / "images", "a.png")
    put(tmp_path / "both" / "masks", "a.png")
    assert names(find_pairs(tmp_path / "both", None)[0]) == [("images/a.png", "a.png")]


def test_polygons_are_masks_too(tmp_path):
    put(tmp_path / "p", "a.png")
    (tmp_path / "m").mkdir()
    shapes = [{"shape_type": "rectangle", "points": [[0, 0], [1, 4]]}]
    labelme = {"shapes": shapes, "imageWidth": 4, "imageHeight": 4, "imagePath": "a.png"}
    (tmp_path / "m/a.json").write_text(json.dumps(labelme))
    (pair,), _ = find_pairs(tmp_path / "m", tmp_path / "p")
    (lesson,) = read_lessons([pair], 32, 32, None)
    assert lesson.mask.shape == (32, 32)
    assert lesson.mask[:, :8].all()
    assert not lesson.mask[:, 24:].any()


@pytest.mark.parametrize(
    ("pictures", "masks", "message"),
    [
        (["a.png"], ["b.png"], "m/b.png belongs to no picture below .*: take it out"),
        (["a.png"], ["ab.png"], "m/ab.png belongs to no picture below"),
        (["a.png"], ["a.png", "a.bmp"], "is a second mask of a.png: take it out"),
        (["a.png", "a.jpg"], ["a.png"], "a.png may be the mask of a.jpg, a.png"),
        (["a.png"], [], "m holds no masks; a mask is a picture"),
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
