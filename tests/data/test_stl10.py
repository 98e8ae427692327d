"""With a small stand-in of the official archive, whose checksums take the place of torchvision's."""

import logging
import shutil
import tarfile

import numpy as np
import pytest
from official_files import NOWHERE, Official, OfficialArrays, md5, names_in
from torchvision import datasets

from lta.data import archives, stl10
from lta.data.stl10 import STL10, scale_images

NAMES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
READ = ("class_names.txt", "test_X.bin", "test_y.bin", "train_X.bin", "train_y.bin")


def contents(seed: int, images: int) -> tuple[bytes, bytes]:
    """One part: 27,648 bytes an image, all of red, then green, then blue, each column by column; classes from 1."""
    x = np.random.default_rng(seed).integers(0, 256, (images, 3, 96, 96), np.uint8)
    x[0] = 0
    x[0, 1, 5, 2] = 200  # of the first image: green, sixth column, third row
    return x.tobytes(), bytes(number % 10 + 1 for number in range(images))


@pytest.fixture
def official(tmp_path, monkeypatch):
    """40 training and 20 test images."""
    source = tmp_path / "source"
    folder = source / "stl10_binary"
    folder.mkdir(parents=True)
    for part, seed, images in (("train", 1, 40), ("test", 2, 20), ("unlabeled", 3, 2)):
        x, y = contents(seed, images)
        (folder / f"{part}_X.bin").write_bytes(x)
        (folder / f"{part}_y.bin").write_bytes(y)
    (folder / "unlabeled_y.bin").unlink()
    (folder / "class_names.txt").write_text("".join(f"{name}\n" for name in NAMES))
    (folder / "fold_indices.txt").write_text("0 1 2\n")
    sums = {path.name: [path.name, md5(path)] for path in folder.iterdir()}
    with tarfile.open(source / "stl10_binary.tar.gz", "w:gz", compresslevel=1) as tar:
        for name in (
            "test_X.bin",
            "unlabeled_X.bin",
            "test_y.bin",
            "train_X.bin",
            "class_names.txt",
            "train_y.bin",
            "fold_indices.txt",
        ):
            tar.add(folder / name, f"stl10_binary/{name}")
    train = [sums[name] for name in ("train_X.bin", "train_y.bin", "unlabeled_X.bin")]
    monkeypatch.setattr(datasets.STL10, "train_list", train)
    monkeypatch.setattr(datasets.STL10, "test_list", [sums["test_X.bin"], sums["test_y.bin"]])
    monkeypatch.setattr(datasets.STL10, "tgz_md5", md5(source / "stl10_binary.tar.gz"))

    def point(address: str) -> None:
        monkeypatch.setattr(datasets.STL10, "url", f"{address}/stl10_binary.tar.gz")

    point(NOWHERE)
    return Official("stl10", STL10, source, ("stl10_binary.tar.gz",), ("stl10_binary",), ".", point)


class TestSTL10(OfficialArrays):
    @pytest.fixture
    def folder(self, official, root):
        """The unpacked folder below the root."""
        return shutil.copytree(official.source / "stl10_binary", root / "stl10_binary")

    # What is read

    @pytest.mark.usefixtures("folder")
    def test_pixels_and_labels_are_where_they_belong(self, official, root):
        data = official.ready(root)
        assert data.class_names == NAMES
        assert [len(data.train.labels), len(data.test.labels)] == [40, 20]
        first = np.zeros((96, 96, 3), np.uint8)
        first[2, 5] = (0, 200, 0)
        for split in (data.train, data.test):
            assert np.array_equal(split.images[0], first)
            assert split.labels.tolist() == list(range(10)) * (len(split.labels) // 10)

    @pytest.mark.usefixtures("folder")
    def test_images_and_labels_are_those_of_torchvision(self, official, root):
        data = official.ready(root)
        for part, split in (("train", data.train), ("test", data.test)):
            reference = datasets.STL10(root, part)
            assert np.array_equal(split.images, reference.data.transpose(0, 2, 3, 1))
            assert np.array_equal(split.labels, reference.labels)

    def test_an_archive_in_a_place_that_cannot_be_written_is_read_all_the_same(self, official, root, monkeypatch, caplog):
        official.put(root)
        make = archives.tempfile.mkdtemp

        def denied_there(*arguments, **named):
            if "dir" in named:
                raise PermissionError(13, "Permission denied")
            return make(*arguments, **named)

        monkeypatch.setattr(archives.tempfile, "mkdtemp", denied_there)
        assert len(official.ready(root).train.labels) == 40
        assert "Permission denied" in caplog.text
        assert names_in(root) == ["stl10_binary.tar.gz"]

    # The unlabelled images

    def test_only_what_is_needed_is_unpacked(self, official, root, caplog):
        caplog.set_level(logging.INFO)
        official.put(root)
        official.ready(root)
        assert names_in(root / "stl10_binary") == sorted(READ)
        assert f"checking and unpacking {root / 'stl10_binary.tar.gz'}" in caplog.text

    def test_the_unlabelled_images_are_neither_read_nor_checked(self, official, root, folder):
        (folder / "unlabeled_X.bin").write_bytes(b"half of it")
        assert official.ready(root).coding == "official"
        (folder / "unlabeled_X.bin").unlink()
        assert official.ready(root).coding == "official"

    # Damage

    @pytest.mark.parametrize("name", READ)
    def test_a_missing_file_is_named_though_the_archive_is_there(self, official, root, folder, name):
        official.put(root)
        (folder / name).unlink()
        line = official.refused(root)
        assert f"{folder / name} is missing; delete {folder} to have it unpacked or downloaded again" in line

    @pytest.mark.parametrize("name", [name for name in READ if name.endswith(".bin")])
    def test_a_damaged_file_of_the_folder_is_named(self, official, root, folder, name):
        contents = bytearray((folder / name).read_bytes())
        contents[-1] ^= 1
        (folder / name).write_bytes(contents)
        assert f"{folder / name} does not have the official checksum; delete {folder}" in official.refused(root)

    def test_class_names_must_be_ten(self, official, root, folder):
        (folder / "class_names.txt").write_text("airplane\nbird\n")
        assert f"{folder / 'class_names.txt'} holds 2 class names, not 10; delete" in official.refused(root)

    # Scaling

    @pytest.mark.usefixtures("folder")
    def test_images_are_scaled_to_image_size(self, official, root):
        full, small = official.ready(root), official.ready(root, image_size=32)
        assert small.image_size == (32, 32)
        for split, original in ((small.train, full.train), (small.test, full.test)):
            assert np.array_equal(split.labels, original.labels)
            assert np.array_equal(split.images, scale_images(original.images, 32))
            assert split.images.flags.c_contiguous

    def test_scaling_keeps_what_is_where(self):
        image = np.zeros((1, 96, 96, 3), np.uint8)
        image[0, 9:12, 60:63] = (30, 60, 90)  # the fourth row and the 21st column of 32
        small = scale_images(image, 32)[0].astype(int)
        assert np.unravel_index(small.sum(2).argmax(), (32, 32)) == (3, 20)
        assert small[3, 20, 0] < small[3, 20, 1] < small[3, 20, 2]

    def test_scaling_down_averages_instead_of_picking_pixels(self):
        chequered = (np.indices((96, 96)).sum(0) % 2 * 255).astype(np.uint8)
        small = scale_images(np.stack([chequered] * 3, -1)[None], 32).astype(int)
        assert np.all(np.abs(small[:, 2:-2, 2:-2] - 127) <= 2)

    def test_overshoot_at_an_edge_is_cut_off_and_does_not_wrap_around(self):
        half = np.zeros((1, 96, 96, 3), np.uint8)
        half[:, :, 48:] = 255
        for size in (32, 64, 128):
            image = scale_images(half, size)
            assert image[:, :, : size // 2 - 1].max() < 64
            assert image[:, :, size // 2 + 1 :].min() > 192

    def test_an_image_comes_out_the_same_whatever_it_is_scaled_with(self, monkeypatch):
        images = np.random.default_rng(0).integers(0, 256, (10, 96, 96, 3), np.uint8)
        together = scale_images(images, 32)
        monkeypatch.setattr(stl10, "CHUNK", 3)
        assert np.array_equal(scale_images(images, 32), together)
        assert np.array_equal(np.concatenate([scale_images(image[None], 32) for image in images]), together)

    @pytest.mark.usefixtures("as_users_run_it")
    @pytest.mark.parametrize("value", [0, 32.5, "[32, 32]"])
    def test_an_impossible_image_size_is_refused(self, value):
        with pytest.raises(ValueError, match=r"data\.image_size=.* must be a whole number, at least 1"):
            STL10(image_size=value)
