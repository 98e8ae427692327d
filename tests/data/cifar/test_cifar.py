"""The official files, unpacked or as an archive; arguments; real pictures where there are any."""

import inspect
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from cifar_stand_ins import FINE, module, picture_copy, pictures, refused
from omegaconf import OmegaConf
from PIL import Image

from lta.data import cifar
from lta.data.cifar import CIFAR, CIFAR10_CLASSES
from lta.data.image_cache import read_images
from lta.data.scaled import Scaled

CONF = Path(__file__).parents[3] / "conf" / "data"
REAL_ROOT = os.environ.get("LTA_DATA_ROOT")


def needs_real(folder):
    there = Path(REAL_ROOT or "nowhere", folder).is_dir()
    return pytest.mark.skipif(not there, reason=f"LTA_DATA_ROOT names no folder with {folder}/")


# The official layout


@pytest.mark.parametrize("place", [".", "cifar10"])
def test_the_unpacked_official_folder_is_read(batches_at, root, place):
    batches_at(place)
    data = module(root, val_size=0)
    assert data.coding == "official"
    assert data.class_names == CIFAR10_CLASSES
    assert np.array_equal(data.train.images, np.concatenate([pictures(n, 20) for n in range(1, 6)]))
    assert data.train.labels.tolist() == list(range(10)) * 10
    assert np.array_equal(data.test.images, pictures(6, 20))
    assert data.val is None


def test_pictures_are_scaled_where_that_is_asked_for(batches_at, root):
    batches_at()
    plain, large = module(root), module(root, image_size=48)
    assert large.image_size == (48, 48)
    for part in ("train", "val", "test"):
        own, theirs = getattr(large, part), getattr(plain, part)
        assert np.array_equal(own.labels, theirs.labels)
        assert np.array_equal(own.ids, theirs.ids)
        assert np.array_equal(own.images[:3], Scaled(np.asarray(theirs.images), (48, 48))[:3])
    assert large.train.images.array.images.shape == (100, 32, 32, 3), "kept at their own size"
    with pytest.raises(ValueError, match=r"data\.image_size=\[1, 2, 3\] must be a number of pixels or"):
        CIFAR(image_size=[1, 2, 3])


def test_images_lie_as_batches_need_them(batches_at, root):
    batches_at()
    data = module(root)
    for images in (data.train.images.array, data.val.images.array, data.test.images):
        assert images.flags.c_contiguous
    assert data.train.images.array is data.val.images.array
    for split in (data.train, data.val, data.test):
        assert split.images.dtype == np.uint8
        assert split.labels.dtype == np.int64


@pytest.mark.parametrize("place", [".", "cifar100"])
def test_the_archive_is_unpacked_once_and_read(source, root, place):
    (root / place).mkdir(exist_ok=True)
    shutil.copy(source / "cifar-100-python.tar.gz", root / place)
    data = module(root, "cifar100", val_size=100)
    assert data.coding == "official"
    assert data.class_names == FINE
    assert np.bincount(data.val.labels).tolist() == [1] * 100
    assert np.array_equal(data.test.images, pictures(8, 100))
    assert sorted(path.name for path in (root / place).iterdir()) == ["cifar-100-python", "cifar-100-python.tar.gz"]
    (root / place / "cifar-100-python.tar.gz").unlink()
    assert len(module(root, "cifar100").test.labels) == 100


def test_an_archive_in_a_place_that_cannot_be_written_is_read_all_the_same(source, root, monkeypatch, caplog):
    shutil.copy(source / "cifar-10-python.tar.gz", root)

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cifar.tempfile, "mkdtemp", denied)
    monkeypatch.setattr(cifar.tempfile, "TemporaryDirectory", partial(_temporary, root.parent / "scratch"))
    assert np.array_equal(module(root).test.images, pictures(6, 20))
    assert "Permission denied" in caplog.text
    assert [path.name for path in root.iterdir()] == ["cifar-10-python.tar.gz"]


class _temporary:
    def __init__(self, folder: Path, **_):
        self.folder = folder

    def __enter__(self) -> str:
        self.folder.mkdir()
        return str(self.folder)

    def __exit__(self, *_) -> None:
        shutil.rmtree(self.folder)


def test_setup_alone_reads_an_archive_too(source, root):
    shutil.copy(source / "cifar-10-python.tar.gz", root)
    data = CIFAR("cifar10", str(root), val_size=0)
    data.setup()
    assert len(data.train.labels) == 100


def test_val_is_cut_from_train_by_split_seed_alone(batches_at, root):
    batches_at()
    data = module(root)
    assert np.bincount(data.val.labels).tolist() == [1] * 10
    together = np.concatenate([data.train.images, data.val.images]).reshape(100, -1)
    original = np.concatenate([pictures(n, 20) for n in range(1, 6)]).reshape(100, -1)
    assert {bytes(row) for row in together} == {bytes(row) for row in original}
    assert np.array_equal(module(root, seed=3).val.images, data.val.images)
    assert not np.array_equal(module(root, split_seed=3).val.images, data.val.images)
    assert np.array_equal(module(root, split_seed=3).test.images, data.test.images)


def test_a_part_of_train_is_kept_in_proportion(batches_at, root):
    batches_at()
    whole, part = module(root, val_size=10), module(root, val_size=10, train_size=30)
    assert np.bincount(part.train.labels).tolist() == [3] * 10
    assert set(map(tuple, part.train.ids)) < set(map(tuple, whole.train.ids))
    assert np.array_equal(part.val.ids, whole.val.ids)
    assert len(module(root, val_size=10, train_size=90).train.labels) == 90
    other = module(root, val_size=10, train_size=30, split_seed=1)
    assert not np.array_equal(other.train.ids, part.train.ids)
    with pytest.raises(ValueError, match=r"data\.train_size=91 must be between 1 and 90"):
        module(root, val_size=10, train_size=91)


def test_the_root_is_the_argument_then_the_environment_then_data(batches_at, root, monkeypatch, tmp_path):
    batches_at()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LTA_DATA_ROOT", str(root))
    assert module(None).coding == "official"
    assert str(tmp_path / "other") in refused(tmp_path / "other", download=False)
    monkeypatch.setenv("LTA_DATA_ROOT", "")
    assert str(tmp_path / "data") in refused(None, download=False)
    root.rename(tmp_path / "data")
    assert module(None).coding == "official"


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_corrupt_file_is_named(batches_at, root, name):
    file = batches_at() / name
    contents = bytearray(file.read_bytes())
    contents[len(contents) // 2] ^= 1
    file.write_bytes(contents)
    line = refused(root)
    assert f"{file} does not have the official checksum" in line
    assert f"delete {file.parent}" in line


def test_a_missing_file_is_named(batches_at, root):
    (batches_at() / "data_batch_5").unlink()
    assert "data_batch_5 is missing" in refused(root)


def test_a_corrupt_archive_is_named_and_nothing_of_it_unpacked(source, root):
    archive = root / "cifar-10-python.tar.gz"
    archive.write_bytes((source / archive.name).read_bytes()[:-100])
    line = refused(root)
    assert str(archive) in line
    assert "delete it" in line
    assert [path.name for path in root.iterdir()] == [archive.name]


def test_corrupt_official_data_are_not_replaced_by_picture_files(batches_at, root):
    picture_copy(root / "cifar10")
    (batches_at() / "test_batch").write_bytes(b"")
    assert "test_batch" in refused(root)


# Arguments


@pytest.mark.parametrize(("argument", "value"), [("val_size", -1), ("val_size", True)])
def test_an_impossible_argument_is_refused(argument, value):
    with pytest.raises(ValueError, match=f"data.{argument}={value} must be"):
        CIFAR(**{argument: value})


def test_a_val_size_above_the_images_is_refused(batches_at, root):
    batches_at()
    with pytest.raises(ValueError, match="val_size=100 must be between 0 and 99"):
        module(root, val_size=100)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_yaml_gives_every_argument_of_the_class(name):
    conf = OmegaConf.load(CONF / f"{name}.yaml")
    assert set(conf) - {"defaults", "_target_"} == set(inspect.signature(CIFAR).parameters)
    assert conf.name == name


# Real data


@needs_real("cifar10/test")
def test_real_pictures_come_bit_for_bit():
    files = sorted(Path(REAL_ROOT, "cifar10", "test").glob("*/*[05]0.*"))[:300]
    names = [str(file.relative_to(REAL_ROOT)) for file in files]
    images, *_ = read_images(Path(REAL_ROOT), names, (32, 32), "off")
    assert len(files) == 200
    assert np.array_equal(images, np.stack([np.asarray(Image.open(file)) for file in files]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "mean"),
    [  # the published channel means of the training sets
        pytest.param("cifar10", (125.3, 123.0, 113.9), marks=needs_real("cifar-10-batches-py")),
        pytest.param("cifar100", (129.3, 124.1, 112.4), marks=needs_real("cifar-100-python")),
    ],
)
def test_the_real_data_are_whole(name, mean):
    data = module(Path(REAL_ROOT), name, val_size=5000)
    for split, images in ((data.train, 45_000), (data.val, 5000), (data.test, 10_000)):
        assert split.images.shape == (images, 32, 32, 3)
        assert np.bincount(split.labels).tolist() == [images // data.num_classes] * data.num_classes
    assert data.coding == "official"
    assert data.describe().endswith("45,000 training, 5,000 validation, 10,000 test images of 32 x 32; official")
    assert np.abs(np.asarray(data.train.images).mean((0, 1, 2)) - mean).max() < 1
