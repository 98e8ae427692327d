"""Masks beside an image folder: found by name, in the pictures' place, and what is wrong with them in one line."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from lta.data.errors import DataError
from lta.data.fingerprint import check_unchanged, check_untrained, digest_fingerprint, take_fingerprint, write_fingerprint
from lta.data.image_folder import ImageFolder

BOX = (24, 10, 44, 22)
"""Of the object: left, top, right, bottom, in pictures of 60 x 40."""


def draw(root, name, box=BOX, size=(60, 40)):
    """A dark picture with a bright object; its mask."""
    mask = np.zeros(size[::-1], np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.repeat(mask[..., None], 3, 2)).save(path)
    return Image.fromarray(mask)


def save(mask, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    mask.save(path)


@pytest.fixture
def root(tmp_path):
    """Two classes of four pictures each, the object of each at a place of its own."""
    for number in range(4):
        for shift, name in ((0, "cat"), (3, "dog")):
            draw(tmp_path, f"{name}/{name}{number}.png", (16 + 5 * number + shift, 10, 30 + 5 * number + shift, 22))
    return tmp_path


def read(root, **given):
    data = ImageFolder(str(root), image_size=[20, 20], val_size=2, test_size=2, cache="off", **given)
    data.setup()
    return data


def check_in_place(data, count):
    """That many pictures have a mask, which lies on the bright object, cut and reduced as the picture is."""
    found = 0
    for split in (data.train, data.val, data.test):
        for number in [] if split.masks is None else split.masks.known:
            bright = np.asarray(split.images[int(number)])[..., 0] > 127
            assert (bright == split.masks.get(int(number))).mean() > 0.97
            assert bright.any()
            found += 1
    assert found == count
    assert data.class_names == ("cat", "dog")


def find_mask(root, name):
    return Image.fromarray(np.asarray(Image.open(root / name))[..., 0])


@pytest.mark.parametrize("place", ["cat/{}.png", "{}.png", "cat/{}_mask.png"])
def test_a_mask_has_the_name_of_its_picture(root, place):
    for stem in ("cat0", "cat2"):
        save(find_mask(root, f"cat/{stem}.png"), root / "masks" / place.format(stem))
    check_in_place(read(root), 2)


def test_a_mask_that_was_drawn_anew_added_or_taken_out_is_a_change_of_the_data(root):
    for stem in ("cat0", "cat2"):
        save(find_mask(root, f"cat/{stem}.png"), root / "masks" / f"{stem}.png")
    written = write_fingerprint(take_fingerprint(read(root)))
    of_earlier_version = {part: ids for part, ids in written.items() if part != "masks"}
    find_mask(root, "cat/cat0.png").convert("RGB").save(root / "masks" / "cat0.png")
    assert check_unchanged(written, read(root)) == "", "another file that draws the same"

    def check_refused(said):
        data = read(root)
        with pytest.raises(DataError, match=f"changed since the run began: {re.escape(said)}; put them back"):
            check_unchanged(written, data)
        assert said in check_untrained(written, data, same_names=True)
        assert check_unchanged(of_earlier_version, data) == "", "it recorded no masks"

    save(find_mask(root, "cat/cat1.png"), root / "masks" / "cat0.png")
    check_refused("1 with another mask (cat/cat0.png)")
    (root / "masks" / "cat0.png").unlink()
    check_refused("1 with another mask (cat/cat0.png)")
    save(find_mask(root, "dog/dog1.png"), root / "masks" / "dog1.png")
    check_refused("2 with another mask (dog/dog1.png, ...)")


def test_what_is_measured_on_test_pictures_is_known_by_their_masks_too(root):
    names = [f"{name}{number}" for name in ("cat", "dog") for number in range(4)]
    for stem in names:
        save(find_mask(root, f"{stem[:3]}/{stem}.png"), root / "masks" / f"{stem}.png")
    words = [digest_fingerprint(read(root))]
    for stem in names:
        save(Image.fromarray(np.eye(40, 60, 10, np.uint8) * 255), root / "masks" / f"{stem}.png")
        words.append(digest_fingerprint(read(root)))
    assert len(set(words)) == 1 + 2, "two of the eight are in test"


def test_split_folders_have_their_masks_beside_them(root):
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            mask = draw(root / "parts", f"{part}/{name}/0.png")
            draw(root / "parts", f"{part}/{name}/1.png", (2, 2, 9, 30))
            save(mask, root / "parts" / "masks" / part / name / "0.png")
    data = ImageFolder(str(root / "parts"), image_size=[20, 20], val_size=0, cache="off")
    data.setup()
    assert [split.masks.known.size for split in (data.train, data.test)] == [2, 2]
    save(mask, root / "parts" / "masks" / "0.png")
    with pytest.raises(DataError, match=r"0.png may be the mask of train/cat/0.png, train/dog/0.png, .*same folders"):
        ImageFolder(str(root / "parts"), image_size=[20, 20], val_size=0, cache="off").setup()


def corners(left, top, right, bottom):
    """Of the pixels that a polygon is drawn through."""
    return [[left, top], [right - 1, top], [right - 1, bottom - 1], [left, bottom - 1]]


def test_polygons_of_labelme(root):
    for number, kind in enumerate(("polygon", "rectangle")):
        box = (16 + 5 * number, 10, 30 + 5 * number, 22)
        points = corners(*box) if kind == "polygon" else [box[:2], box[2:]]
        written = {"shapes": [{"shape_type": kind, "points": points}], "imageWidth": 60, "imageHeight": 40}
        (root / "drawn").mkdir(exist_ok=True)
        (root / "drawn" / f"cat{number}.json").write_text(json.dumps(written))
    check_in_place(read(root, masks="drawn"), 2)


def write_coco(root, *annotations, file_name="cat/cat0.png", width=60):
    image = {"id": 7, "file_name": file_name, "width": width, "height": 40}
    (root / "masks").mkdir(exist_ok=True)
    written = {"images": [image], "annotations": [{"image_id": 7, **one} for one in annotations]}
    (root / "masks" / "instances.json").write_text(json.dumps(written))


FLAT = [value for point in corners(16, 10, 30, 22) for value in point]
RUNS = [16 * 40 + 10, *[12, 28] * 13, 12, 60 * 40 - 29 * 40 - 22]


@pytest.mark.parametrize(
    "annotation",
    [
        {"segmentation": [FLAT]},
        {"bbox": [16, 10, 14, 12]},
        {"segmentation": {"counts": RUNS, "size": [40, 60]}},
    ],
)
def test_polygons_runs_and_boxes_of_coco(root, annotation):
    write_coco(root, annotation)
    check_in_place(read(root), 1)


WRONG = [
    ({"bbox": [1, 2, 3]}, {}, "annotation 0 has neither a segmentation nor a bbox of four numbers"),
    ({"segmentation": {"counts": "ab", "size": [40, 60]}}, {}, "compressed run-length code, which is not read"),
    ({"segmentation": [FLAT]}, {"file_name": "cat/cat9.png"}, "cat/cat9.png in .* belongs to no picture"),
    ({"segmentation": [FLAT]}, {"width": 61}, "was drawn on a picture of 61x40 pixels, but the picture has 60x40"),
    ({"segmentation": [["a", 1]]}, {}, "the points of annotation 0 are not pairs of numbers"),
]


@pytest.mark.parametrize(("annotation", "image", "says"), WRONG)
def test_what_is_wrong_with_annotations(root, annotation, image, says):
    write_coco(root, annotation, **image)
    with pytest.raises(DataError, match=says):
        read(root)


def test_what_is_wrong_with_mask_files(root):
    place = root / "masks" / "cat"
    right = find_mask(root, "cat/cat0.png")
    for name, mask, says in (
        ("cat9", right, r"cat9.png belongs to no picture below .*: take it out, or give data.masks=null"),
        ("cat0", right.resize((30, 20), Image.Resampling.NEAREST), "has 30x20 pixels, but its picture .*cat0.png has 60x40"),
        ("cat1", Image.new("L", (60, 40)), "cat1.png is an empty mask"),
        (
            "cat2",
            Image.fromarray(np.arange(2400, dtype=np.uint8).reshape(40, 60)),
            "not a binary mask.*; save it with only two values, 0 and one other$",
        ),
    ):
        save(mask, place / f"{name}.png")
        with pytest.raises(DataError, match=says):
            read(root)
        (place / f"{name}.png").unlink()
    (root / "masks" / "cat0.json").write_text('{"a": 1}')
    with pytest.raises(DataError, match=r"is neither a LabelMe file .* nor a COCO file"):
        read(root)
    (root / "masks" / "cat0.json").write_text("{")
    with pytest.raises(DataError, match="can't be read as JSON"):
        read(root)


def test_masks_can_be_a_class(root):
    draw(root, "masks/a.png")
    draw(root, "masks/b.png")
    draw(root, "masks/c.png")
    assert read(root, masks=None).class_names == ("cat", "dog", "masks")
    with pytest.raises(DataError, match=r"data.masks=nowhere: .* is not a folder"):
        read(root, masks="nowhere")
