"""CIFAR as a copy of picture files in class folders: read, and marked as not comparable."""

import shutil

import numpy as np
import pytest
from cifar_stand_ins import FINE, JPEG_COPY, module, picture_copy, refused

from lta.data import cifar
from lta.data.cifar import CIFAR10_CLASSES


def test_picture_files_are_read_and_marked(root, caplog):
    picture_copy(root / "cifar10")
    data = module(root)
    assert data.class_names == CIFAR10_CLASSES
    for split in (data.train, data.val, data.test):
        assert np.array_equal(split.images[:, 5, 5, 0], split.labels * 20)
    assert [len(split.labels) for split in (data.train, data.val, data.test)] == [20, 10, 10]
    assert data.test.images[:, 0, 0, 2].tolist() == [1] * 10
    assert data.coding.startswith("image-folder copy (files: png")
    assert "not comparable with published figures" in caplog.text


def test_a_copy_that_is_not_whole_says_so(root):
    picture_copy(root / "cifar10")
    assert module(root).coding.endswith(
        "not complete: 30 of 50000 train, 10 of 10000 test), not comparable with published figures"
    )


@pytest.mark.parametrize("ending", ["jpg", "jpeg"])
def test_jpeg_files_are_marked_as_re_encoded(root, ending, monkeypatch):
    monkeypatch.setattr(cifar, "IMAGES", {"train": 30, "test": 10})
    picture_copy(root / "cifar10", ending)
    assert module(root).coding == JPEG_COPY


def test_without_val_picture_files_stay_memory_mapped(root):
    picture_copy(root / "cifar10")
    assert isinstance(module(root, val_size=0).train.images.base, np.memmap)


def test_official_data_come_before_picture_files(batches_at, root):
    picture_copy(root / "cifar10")
    batches_at("cifar10")
    assert module(root).coding == "official"


def test_other_classes_are_refused(root):
    picture_copy(root / "cifar10", classes=("cat", "dog"))
    line = refused(root)
    assert "cat, dog" in line
    assert "airplane" in line
    picture_copy(root / "cifar100")
    assert "10 class folders; CIFAR-100 has 100" in refused(root, "cifar100")


def test_cifar100_of_picture_files(root):
    picture_copy(root / "cifar100", classes=FINE[:100])
    assert module(root, "cifar100", val_size=100).class_names == FINE


def test_train_and_test_of_other_classes_are_refused(root):
    picture_copy(root / "cifar100", classes=FINE)
    (root / "cifar100" / "test" / "fine07").rename(root / "cifar100" / "test" / "finer07")
    line = refused(root, "cifar100")
    assert "fine07" in line
    assert "finer07" in line


def test_pictures_of_another_size_are_refused(root):
    picture_copy(root / "cifar10", size=64)
    assert "has 64x64 pixels, not 32x32" in refused(root)


def test_half_a_copy_is_refused(root):
    picture_copy(root / "cifar10")
    shutil.rmtree(root / "cifar10" / "test")
    assert f"{root / 'cifar10' / 'test'} holds no class folders" in refused(root)


def test_a_broken_picture_is_named(root):
    picture_copy(root / "cifar10")
    (root / "cifar10" / "train" / "cat" / "0001.png").write_bytes(b"")
    assert "'train/cat/0001.png' (empty file)" in refused(root)
