"""Anybody's pictures with masks: what belongs together, masks that stay where their objects are, and errors in one line."""

import logging

import numpy as np
import pytest
from masked import draw, labels
from PIL import Image

from lta.data.errors import DataError
from lta.data.mask_folder import MaskFolder
from lta.data.masked_pictures import reduce_mask


@pytest.fixture
def root(tmp_path):
    """Two pictures, a wide and a high one."""
    draw(tmp_path, "a", (60, 40), (20, 10, 40, 30))
    draw(tmp_path, "b", (40, 60), (10, 20, 30, 40), value=1)
    return tmp_path


def module(root, **options) -> MaskFolder:
    data = MaskFolder(str(root), **{"image_size": 8, "cache": "off", **options})
    data.prepare_data()
    data.setup()
    return data


def refused(root, **options) -> str:
    with pytest.raises(DataError) as error:
        module(root, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_all_pictures_are_in_test_and_there_is_nothing_to_train_on(root):
    data = module(root)
    assert data.class_names == ("object",)
    assert data.test.images.shape == (2, 8, 8, 3)
    assert data.train.images.shape == (0, 8, 8, 3)
    assert data.train.roles.shape == (0, 8, 8)
    assert data.val is None
    assert data.image_size == (8, 8)
    assert set(np.unique(data.test.roles)) == {0, 2}
    assert data.test.roles.dtype == np.uint8
    assert data.test.sources.tolist() == [0, 1]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("fit", ["crop", "squash"])
@pytest.mark.parametrize("size", [(903, 601), (601, 903), (311, 107), (64, 64)])
def test_mask_and_picture_stay_aligned_to_less_than_half_a_pixel(tmp_path, size, fit, suffix):
    """The centre of a bright object's light against that of its mask: rounding to whole pixels moves it by less than a half
    this way or that, and over several objects by nothing."""
    unit = min(size)
    rng = np.random.default_rng(0)
    for number in range(8):
        left, top = np.array(size) // 2 + rng.integers(-unit // 2, unit // 6, 2)
        wide, high = rng.integers(unit // 5, unit // 3, 2)
        draw(tmp_path, str(number), size, (left, top, left + wide, top + high), suffix=suffix)
    test = module(tmp_path, image_size=32, fit=fit).test
    light = test.images[..., 0].astype(float) - 5
    light[light < 25] = 0  # ringing
    centres = [
        (shown.sum(axis) * np.arange(32)).sum(1) / shown.sum((1, 2)) for shown in (light, test.roles == 2) for axis in (1, 2)
    ]
    moved = np.array(centres[:2]) - np.array(centres[2:])
    assert np.abs(moved).max() < 0.5
    assert np.abs(moved.mean(1)).max() < 0.1


def test_a_pixel_belongs_to_the_object_where_at_least_half_of_it_does():
    """Reduced 4 to 1: three of four columns are the object's, then two, then one."""
    mask = np.zeros((4, 12), np.uint8)
    mask[:, 1:6], mask[:, 8] = 255, 255
    small = np.asarray(reduce_mask(Image.fromarray(mask), (1, 3), (0, 0, 12, 4))) >= 128
    assert small.tolist() == [[True, True, False]]


def test_labels_csv_names_masks_and_classes_and_other_columns_are_ignored(root):
    labels(root, "\ufeffimage,mask,class,licence\nb.png,a.png,horse,none\n")
    Image.open(root / "images" / "a.png").save(root / "images" / "b.png")
    data = module(root)
    assert data.class_names == ("horse",)
    assert len(data.test.labels) == 1


def test_classes_are_the_sorted_set_of_those_present_and_columns_have_any_name(root, caplog):
    draw(root, "c", (40, 40), (0, 0, 20, 20))
    labels(root, "image,person_mask,content\nb.png,b.png,zebra\nc.png,,tree\na.png,a.png,cat\n")
    with caplog.at_level(logging.INFO):
        data = module(root, mask_column="person_mask", class_column="content")
    assert data.class_names == ("cat", "zebra")
    assert data.test.labels.tolist() == [1, 0]
    assert data.test.sources.tolist() == [1, 0]
    assert "1 of 3 pictures have no mask and are left out" in caplog.text
    assert module(root, mask_column="person_mask", class_column=None, class_name="thing").class_names == ("thing",)


def test_two_masks_of_one_picture_have_one_source(root):
    Image.open(root / "masks" / "a.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(root / "masks" / "a2.png")
    labels(root, "image,mask,class\na.png,a.png,cat\nb.png,b.png,cat\na.png,a2.png,cat\n")
    assert module(root).test.sources.tolist() == [0, 1, 0]


def test_masks_of_any_mode_mean_the_same(root):
    before = module(root).test.roles
    grey = Image.open(root / "masks" / "b.png")
    for mask in (grey.point(lambda v: 255 * (v > 0)).convert("1"), grey.point(lambda v: 7 * v).convert("RGB")):
        mask.save(root / "masks" / "b.png")
        assert np.array_equal(module(root).test.roles, before)
    palette = grey.copy()
    palette.putpalette([0, 0, 0, 128, 0, 0])
    palette.save(root / "masks" / "b.png")
    assert np.array_equal(module(root).test.roles, before)


def test_a_threshold_makes_soft_masks_binary(root):
    (root / "masks" / "b.png").unlink()
    soft = np.zeros((40, 60), np.uint8)
    soft[10:30, 20:40], soft[10:30, 40:50] = 200, 100
    Image.fromarray(soft).save(root / "masks" / "a.png")
    said = refused(root)
    assert "a.png is not a binary mask: besides 0 it holds 2 values, from 100 to 200; give data.threshold=127" in said
    low, high = (int((module(root, threshold=threshold).test.roles[0] == 2).sum()) for threshold in (50, 127))
    assert (low, high) == (4 * 6, 4 * 4)  # 30 and 20 of the 40 columns that the cut leaves, 5 in a pixel
    assert "nothing is brighter than data.threshold=200" in refused(root, threshold=200)


def test_pictures_that_are_turned_by_exif_fit_masks_that_are_upright(root):
    picture = Image.open(root / "images" / "a.png")
    exif = picture.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    picture.transpose(Image.Transpose.ROTATE_90).save(root / "images" / "a.png", exif=exif)
    before = module(root)
    assert before.test.images[0][before.test.roles[0] == 2].mean() > 150


def test_wrong_folders_are_named(root, tmp_path):
    assert "is not a folder" in refused(tmp_path / "nowhere")
    assert "data.root must be given" in refused("")
    (root / "masks" / "a.png").rename(root / "masks" / "c.png")
    (root / "masks" / "b.png").rename(root / "masks" / "d.png")
    assert "has no masks: none has the file stem of a picture in images/" in refused(root)
    labels(root, "image,mask,class\na.png,,x\n")
    assert "has no masks: column mask of LABELS.csv names none" in refused(root)
    labels(root, "image,segment,class\na.png,a.png,x\n")
    assert "has no column mask: data.mask_column=mask asks for it; it has image, segment, class" in refused(root)
    labels(root, "image,mask\na.png,a.png\n")
    assert "has no column class: data.class_column=class asks for it (null: all are of data.class_name)" in refused(root)
    labels(root, "image,mask,class\na.png,c.png,x\nb.png,a.png,x\ne.png,d.png,x\n")
    assert "images/e.png, masks/a.png are named in LABELS.csv but missing" in refused(root)
    labels(root, "image,mask,class\na.png,c.png,\n")
    assert "row 2 has no class" in refused(root)
    (root / "LABELS.csv").write_bytes(b"image,mask,class\n\xff,a,b\n")
    assert "can't be read as CSV in UTF-8" in refused(root)
    (root / "LABELS.csv").unlink()
    Image.open(root / "images" / "a.png").save(root / "images" / "a.jpg")
    assert "holds several files named a" in refused(root)


def test_wrong_masks_are_named(root):
    Image.new("L", (60, 40)).save(root / "masks" / "a.png")
    assert "a.png is an empty mask; mark the object in it or take it out" in refused(root)
    Image.new("L", (30, 20), 255).save(root / "masks" / "a.png")
    assert "a.png has 30x20 pixels, but its picture images/a.png has 60x40: they must be the same" in refused(root)
    (root / "masks" / "a.png").write_bytes(b"no picture")
    assert "masks/a.png can't be read: not a picture of a known format" in refused(root)


def test_a_picture_that_is_none_is_named(root):
    (root / "images" / "b.png").write_bytes(b"no picture")
    assert "images/b.png can't be read: not a picture of a known format" in refused(root)
    whole = (root / "images" / "a.png").read_bytes()
    (root / "images" / "b.png").write_bytes(whole[:60])
    assert "images/b.png can't be read: image file is truncated" in refused(root)


def test_an_object_beside_the_cut_is_named_or_left_out_or_squashed(root, caplog):
    draw(root, "c", (100, 20), (0, 0, 30, 20))
    said = refused(root)
    assert "1 of 3 masks are empty once cut to 8x8 (data.fit=crop): masks/c.png" in said
    assert "data.on_empty=skip" in said
    assert module(root, on_empty="skip").test.sources.tolist() == [0, 1]
    squashed = module(root, fit="squash").test
    assert len(squashed.labels) == 3
    assert np.array_equal(squashed.roles[2], np.repeat([[2, 2, 0, 0, 0, 0, 0, 0]], 8, 0))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"fit": "pad"}, "data.fit=pad is unknown; choose one of crop, squash"),
        ({"image_size": 0}, "data.image_size=0 must be"),
        ({"on_empty": "no"}, "data.on_empty=no is unknown"),
        ({"threshold": -1}, "data.threshold=-1 must be a number"),
        ({"eval_batch_size": 0}, "data.eval_batch_size=0 must be"),
    ],
)
def test_wrong_settings_are_named(options, says):
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        MaskFolder("somewhere", **options)


def test_training_is_refused_before_anything_is_read():
    data = MaskFolder("nowhere")
    data.trainer = object()
    with pytest.raises(
        DataError, match=r"data=mask_folder is only for evaluation and has no training images.*python -m lta\.evaluate"
    ):
        data.prepare_data()
