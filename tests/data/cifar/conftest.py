"""Small stand-ins of the official archives, whose checksums take the place of torchvision's; nothing reaches the network."""

import shutil
import tarfile
from pathlib import Path

import pytest
from cifar_stand_ins import FINE, batch, md5, write
from torchvision import datasets

from lta.data.cifar import CIFAR10_CLASSES


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("LTA_DATA_ROOT", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(datasets.CIFAR10, "url", "http://127.0.0.1:9/none.tar.gz")  # nothing reaches the network
    monkeypatch.setattr(datasets.CIFAR100, "url", "http://127.0.0.1:9/none.tar.gz")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A folder with both official folders and archives. CIFAR-10: 5 x 20 and 20 images, CIFAR-100: 200 and 100."""
    source = tmp_path / "source"
    files = {f"data_batch_{n}": batch(n, list(range(10)) * 2, "labels") for n in range(1, 6)}
    files |= {"test_batch": batch(6, list(range(10)) * 2, "labels"), "batches.meta": {"label_names": CIFAR10_CLASSES}}
    sums10 = write(source / "cifar-10-batches-py", files)
    files = {"train": batch(7, list(range(100)) * 2, "fine_labels"), "test": batch(8, list(range(100)), "fine_labels")}
    sums100 = write(source / "cifar-100-python", files | {"meta": {"fine_label_names": FINE}})
    for official, sums, train, test, meta in (
        (datasets.CIFAR10, sums10, [f"data_batch_{n}" for n in range(1, 6)], "test_batch", "batches.meta"),
        (datasets.CIFAR100, sums100, ["train"], "test", "meta"),
    ):
        with tarfile.open(source / official.filename, "w:gz", compresslevel=1) as tar:
            tar.add(source / official.base_folder, official.base_folder)
        monkeypatch.setattr(official, "train_list", [sums[name] for name in train])
        monkeypatch.setattr(official, "test_list", [sums[test]])
        monkeypatch.setattr(official, "meta", official.meta | {"md5": sums[meta][1]})
        monkeypatch.setattr(official, "tgz_md5", md5(source / official.filename))
    return source


@pytest.fixture
def batches_at(source, root):
    """Puts the unpacked CIFAR-10 into a folder below `root` and returns where."""

    def put(place: str = ".") -> Path:
        return shutil.copytree(source / "cifar-10-batches-py", root / place / "cifar-10-batches-py")

    return put
