"""Anybody's pictures with boxes: boxes that stay where their objects are, and errors in one line."""

import numpy as np
import pytest
from PIL import Image

from lta.data.box_folder import BoxFolder
from lta.data.errors import DataError

HEADER = "image,class,x0,y0,x1,y1\n"
ROWS = "a.png,cat,20,10,40,30\nb.png,dog,10,20,30.5,40\na.png,cat,0,0,60,40\n"


@pytest.fixture
def root(tmp_path):
    """A wide picture with two boxes, a high one with one."""
    (tmp_path / "images").mkdir()
    for name, size, box in (("a", (60, 40), (20, 10, 40, 30)), ("b", (40, 60), (10, 20, 30, 40))):
        image = Image.new("RGB", size, (5, 15, 25))
        image.paste((250, 200, 150), box)
        image.save(tmp_path / "images" / f"{name}.png")
    (tmp_path / "BOXES.csv").write_text(HEADER + ROWS)
    return tmp_path


def read(root, **options):
    data = BoxFolder(str(root), **{"image_size": 20, "cache": "off", **options})
    data.read()
    return data


def refused(root, rows=None, header=HEADER, **options) -> str:
    if rows is not None:
        (root / "BOXES.csv").write_text(header + rows)
    with pytest.raises(DataError) as error:
        read(root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_boxes_go_with_their_pictures(root):
    """Cropped: 40 x 40 of the centre, halved; of the box of the whole picture the whole of it is left."""
    data = read(root)
    assert data.class_names == ("cat", "dog")
    assert data.test.labels.tolist() == [0, 1]
    assert data.test.roles is None
    assert data.train.boxes.shape == (0, 2, 4)
    assert data.test.boxes.dtype == np.float32
    assert data.test.boxes[0].tolist() == [[5, 5, 15, 15], [0, 0, 20, 20]]
    assert data.test.boxes[1, 0].tolist() == [5, 5, 15.25, 15]
    assert np.isnan(data.test.boxes[1, 1]).all()
    bright = data.test.images[..., 0] > 128
    for number in (0, 1):
        assert np.argwhere(bright[number]).min(0).tolist() == [5, 5]
        assert np.argwhere(bright[number]).max(0).tolist() == [14, 14]


def test_squashed_pictures_keep_all(root):
    found = read(root, fit="squash").test.boxes
    assert found[0].tolist() == pytest.approx(np.array([[20 / 3, 5, 40 / 3, 15], [0, 0, 20, 20]]))
    assert found[1, 0].tolist() == pytest.approx([5, 20 / 3, 15.25, 40 / 3])


def test_an_upright_picture_is_meant(root):
    """A picture that lies on its side in the file: 60 x 40 pixels there, 40 x 60 upright."""
    image = Image.new("RGB", (60, 40))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(root / "images" / "c.jpg", exif=exif)
    (root / "BOXES.csv").write_text(HEADER + "c.jpg,cat,0,50,40,60\n")
    assert read(root, fit="squash").test.boxes[0, 0].tolist() == pytest.approx([0, 50 / 3, 20, 20])


def test_another_box_makes_another_picture(root):
    before = read(root).test.ids
    (root / "BOXES.csv").write_text(HEADER + ROWS.replace("30.5", "30"))
    after = read(root).test.ids
    assert (before[0] == after[0]).all()
    assert before[1, 0] != after[1, 0]
    assert before[1, 1] == after[1, 1]


def test_pictures_without_a_box_once_cut(root):
    rows = "a.png,cat,0,10,10,30\nb.png,dog,10,20,30,40\n"
    said = refused(root, rows)
    assert "1 of 2 pictures have no box once cut to 20x20 (data.fit=crop): images/a.png; choose data.fit=squash or" in said
    data = read(root, on_empty="skip")
    assert data.test.labels.tolist() == [1]
    assert len(read(root, fit="squash").test.labels) == 2


def test_without_classes(root):
    plain = "image,x0,y0,x1,y1\n"
    said = refused(root, "a.png,20,10,40,30\n", plain)
    assert "has no column class: data.class_column=class asks for it (null: all are of data.class_name)" in said
    assert read(root, class_column=None, class_name="thing").class_names == ("thing",)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("a.png,cat,20,10,20,30\n", "row 2: x0 must be below x1 and y0 below y1, but they are 20, 10, 20, 30"),
        ("a.png,cat,20,10,40,x\n", "row 2: y1 is x, which is not a number"),
        ("a.png,cat,20,10,nan,30\n", "row 2: x1 is nan, which is not a number"),
        ("a.png,cat,20,10\n", "row 2: x1 is empty, which is not a number"),
        (",cat,20,10,40,30\n", "row 2 has no image"),
        ("a.png,,20,10,40,30\n", "row 2 has no class"),
        ("a.png\n", "row 2 has no class"),
        ("a.png,cat,1,1,2,2\na.png,dog,1,1,2,2\n", "row 3: a.png has the class dog here but cat earlier"),
        ("a.png,cat,20,10,62,30\n", "the box 20, 10, 62, 30 does not lie in images/a.png, which has 60x40 pixels"),
        ("a.png,cat,-2,10,40,30\n", "the box -2, 10, 40, 30 does not lie in images/a.png"),
        ("c.png,cat,20,10,40,30\n", "c.png is named in BOXES.csv but missing"),
        ("", "has no boxes"),
    ],
)
def test_wrong_rows(root, rows, says):
    assert says in refused(root, rows)


def test_wrong_folders(root, tmp_path):
    assert "needs image,x0,y0,x1,y1 but has image, x" in refused(root, "a.png,1\n", "image,x\n")
    (root / "BOXES.csv").unlink()
    assert "has no file BOXES.csv: it must hold images/ and BOXES.csv" in refused(root)
    assert "is not a folder" in refused(root / "none")
    with pytest.raises(DataError, match=r"data.root must be given: the folder that holds images/ and BOXES.csv"):
        BoxFolder(image_size=8).read()
