"""With small stand-ins of the official files, whose checksums take the place of torchvision's."""

import shutil

import numpy as np
import pytest
from official_files import NOWHERE, Official, OfficialArrays, md5, names_in
from scipy.io import savemat
from torchvision import datasets

from lta.data.svhn import SVHN

COUNTS = {"train": 60, "test": 20, "extra": 30}


def contents(part: str) -> tuple[np.ndarray, np.ndarray]:
    """X (height, width, channel, image) and y (image, 1), in which 10 stands for the digit 0; as the official files do."""
    rng = np.random.default_rng(len(part))
    x = rng.integers(0, 256, (32, 32, 3, COUNTS[part]), np.uint8)
    x[..., 0] = 0
    x[2, 5, 1, 0] = 200  # of the first image: third row, sixth column, green
    return x, (np.arange(COUNTS[part]) % 10 + 1).astype(np.uint8)[:, None]


@pytest.fixture
def official(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    sums = {}
    for part in COUNTS:
        x, y = contents(part)
        savemat(source / f"{part}_32x32.mat", {"X": x, "y": y}, do_compression=True)
        sums[part] = md5(source / f"{part}_32x32.mat")

    def point(address: str) -> None:
        files = {part: [f"{address}/{part}_32x32.mat", f"{part}_32x32.mat", sums[part]] for part in COUNTS}
        monkeypatch.setattr(datasets.SVHN, "split_list", files)

    point(NOWHERE)
    return Official("svhn", SVHN, source, ("train_32x32.mat", "test_32x32.mat"), (), "svhn", point)


class TestSVHN(OfficialArrays):
    def test_pixels_and_labels_are_where_they_belong(self, official, root):
        official.put(root)
        data = official.ready(root)
        assert data.class_names == tuple("0123456789")
        assert [len(data.train.labels), len(data.test.labels)] == [60, 20]
        for split in (data.train, data.test):
            first = np.zeros((32, 32, 3), np.uint8)
            first[2, 5] = (0, 200, 0)
            assert np.array_equal(split.images[0], first)
            assert split.labels[:11].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]

    def test_images_and_labels_are_those_of_torchvision(self, official, root):
        official.put(root)
        data = official.ready(root)
        for part, split in (("train", data.train), ("test", data.test)):
            reference = datasets.SVHN(root, part)
            assert np.array_equal(split.images, reference.data.transpose(0, 2, 3, 1))
            assert np.array_equal(split.labels, reference.labels)

    def test_extra_is_added_to_train_alone(self, official, root):
        official.put(root)
        without = official.ready(root)
        shutil.copy(official.source / "extra_32x32.mat", root)
        assert len(official.ready(root).train.labels) == 60, "unless it is asked for"
        data = official.ready(root, extra=True)
        x, y = contents("extra")
        assert np.array_equal(data.train.images, np.concatenate([without.train.images, x.transpose(3, 0, 1, 2)]))
        assert np.array_equal(data.train.labels[60:], y.ravel() % 10)
        assert np.array_equal(data.test.images, without.test.images)
        cut = official.ready(root, extra=True, val_size=30)
        assert np.bincount(cut.val.labels).tolist() == [3] * 10
        assert len(cut.train.labels) == 60

    def test_a_damaged_extra_file_is_named(self, official, root):
        official.put(root)
        (root / "extra_32x32.mat").write_bytes(b"half of it")
        assert f"{root / 'extra_32x32.mat'} is damaged or not the official file" in official.refused(root, extra=True)

    @pytest.mark.parametrize("place", [".", "svhn"])
    def test_only_what_is_missing_is_downloaded_and_to_where_the_rest_is(self, official, root, place, asked):
        official.put(root / place)
        (root / place / "test_32x32.mat").unlink()
        address = datasets.SVHN.split_list["test"][0].removesuffix("/test_32x32.mat")
        line = official.refused(root, extra=True, download=False)
        assert f"no svhn below {root} (extra_32x32.mat and test_32x32.mat neither there nor in svhn/)" in line
        assert (
            f"put {address}/extra_32x32.mat at {root / place / 'extra_32x32.mat'} and {address}/test_32x32.mat at " in line
        )
        assert "the folder they are in" in line
        assert "train_32x32.mat" not in line
        assert asked == []
        assert len(official.ready(root).test.labels) == 20
        assert names_in(root / place) == ["test_32x32.mat", "train_32x32.mat"]

    def test_what_came_complete_stays_when_a_later_download_fails(self, official, root, asked):
        (official.source / "test_32x32.mat").write_bytes(b"half of it")
        assert "no svhn below" in official.refused(root)
        assert names_in(root / "svhn") == ["train_32x32.mat"]
        line = official.refused(root)
        assert "(test_32x32.mat neither there nor in svhn/), and the download failed" in line

    @pytest.mark.usefixtures("as_users_run_it")
    def test_extra_must_be_a_flag(self):
        with pytest.raises(ValueError, match=r"data\.extra=no must be true or false"):
            SVHN(extra="no")
