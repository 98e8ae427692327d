"""With small stand-ins of the official archives, whose checksums take the place of torchvision's."""

import hashlib
import inspect
import os
import pickle
import shutil
import socket
import tarfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from torchvision import datasets

from lta.data import cifar
from lta.data.cifar import CIFAR, CIFAR10_CLASSES
from lta.data.errors import DataError
from lta.data.image_cache import read_images

CONF = Path(__file__).parents[2] / "conf" / "data"
FINE = tuple(f"fine{number:02}" for number in range(100))
real_data = pytest.mark.skipif(
    not Path(os.environ.get("LTA_DATA_ROOT") or "nowhere", "cifar10").is_dir(),
    reason="LTA_DATA_ROOT does not name a folder that holds cifar10/",
)
REAL_ROOT = os.environ.get("LTA_DATA_ROOT")


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


JPEG_COPY = "image-folder copy (re-encoded files: jpg), not comparable with published figures"


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def batch(seed: int, labels: list[int], key: str) -> dict:
    """One file of the official layout: rows of 3072 bytes, all of red, then all of green, then all of blue."""
    return {"data": np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), np.uint8), key: labels}


def pictures(seed: int, count: int) -> np.ndarray:
    """What `batch` holds, as (count, 32, 32, 3)."""
    return batch(seed, [0] * count, "labels")["data"].reshape(count, 3, 32, 32).transpose(0, 2, 3, 1)


def write(folder: Path, files: dict[str, dict]) -> dict[str, list[str]]:
    """Pickles `files` into `folder`; returns [name, MD5] by name."""
    folder.mkdir(parents=True)
    for name, contents in files.items():
        (folder / name).write_bytes(pickle.dumps(contents, protocol=2))
    return {name: [name, md5(folder / name)] for name in files}


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


def module(root: Path | None, name: str = "cifar10", **arguments) -> CIFAR:
    data = CIFAR(name, None if root is None else str(root), **{"val_size": 10, "batch_size": 8, **arguments})
    data.prepare_data()
    data.setup()
    return data


def refused(root: Path, name: str = "cifar10", **arguments) -> str:
    with pytest.raises(DataError) as error:
        module(root, name, **arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


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


def test_images_lie_as_batches_need_them(batches_at, root):
    batches_at()
    data = module(root)
    for split in (data.train, data.val, data.test):
        assert split.images.flags.c_contiguous
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


# Picture files


def picture_copy(folder: Path, ending: str = "png", classes: tuple[str, ...] = CIFAR10_CLASSES, size: int = 32) -> None:
    """Three training images and one test image of each class; red is the class, green the number."""
    for part, count in (("train", 3), ("test", 1)):
        for label, name in enumerate(classes):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                picture = Image.new("RGB", (size, size), (label * 20, number, part == "test"))
                picture.save(folder / part / name / f"{number:04}.{ending}")


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


# Download


@pytest.fixture
def server(source, monkeypatch):
    """The archives of `source` over HTTP; `server.asked` lists what was asked for."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(source)))
    server.asked = asked
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
    monkeypatch.setattr(datasets.CIFAR10, "url", url)
    yield server
    server.shutdown()
    server.server_close()


def test_what_is_not_there_is_downloaded_once(server, tmp_path):
    data = module(tmp_path / "new" / "root")
    assert data.coding == "official"
    assert np.array_equal(data.test.images, pictures(6, 20))
    asked = len(server.asked)
    assert asked > 0
    module(tmp_path / "new" / "root")
    assert len(server.asked) == asked
    names = sorted(path.name for path in (tmp_path / "new" / "root").iterdir())
    assert names == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]


def test_nothing_is_downloaded_where_data_are(server, batches_at, root):
    batches_at()
    module(root)
    assert server.asked == []


def test_a_damaged_download_is_refused_and_leaves_nothing(server, source, root):
    (source / "cifar-10-python.tar.gz").write_bytes(b"half of it")
    assert "the download failed" in refused(root)
    assert list(root.iterdir()) == []


def test_offline_the_line_says_what_where_and_the_ways_on(tmp_path):
    started = time.monotonic()
    line = refused(tmp_path / "root")
    assert time.monotonic() - started < 5
    for part in ("no cifar10", str(tmp_path / "root"), "cifar-10-batches-py", "cifar10/train", "Connection refused",
                 str(tmp_path / "root" / "cifar-10-python.tar.gz"), "data.root=", "LTA_DATA_ROOT"):  # fmt: skip
        assert part in line
    assert not (tmp_path / "root").exists()


def test_a_server_that_does_not_answer_is_not_waited_for(root, monkeypatch):
    monkeypatch.setattr(cifar, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/a.tar.gz")
        started = time.monotonic()
        assert "timed out" in refused(root)
    assert time.monotonic() - started < 5
    assert socket.getdefaulttimeout() is None
    assert list(root.iterdir()) == []


def test_download_false_asks_nobody(server, root):
    assert "data.download=false" in refused(root, download=False)
    assert server.asked == []


def test_setup_never_downloads(server, root):
    with pytest.raises(DataError, match="no cifar10 below"):
        CIFAR("cifar10", str(root)).setup()
    assert server.asked == []


# Arguments


@pytest.mark.parametrize(("argument", "value"), [("val_size", -1), ("val_size", True)])
def test_an_impossible_argument_is_refused(argument, value):
    with pytest.raises(ValueError, match=f"data.{argument}={value} must be"):
        CIFAR(**{argument: value})


def test_a_val_size_above_the_images_is_refused(batches_at, root):
    batches_at()
    with pytest.raises(ValueError, match="val_size=100 must lie between 0 and 99"):
        module(root, val_size=100)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_the_yaml_gives_every_argument_of_the_class(name):
    conf = OmegaConf.load(CONF / f"{name}.yaml")
    assert set(conf) - {"defaults", "_target_"} == set(inspect.signature(CIFAR).parameters)
    assert conf.name == name


# Real data


@real_data
def test_real_pictures_come_bit_for_bit():
    files = sorted(Path(REAL_ROOT, "cifar10", "test").glob("*/*[05]0.*"))[:300]
    if not files:
        pytest.skip("LTA_DATA_ROOT holds CIFAR-10 in another layout")
    names = [str(file.relative_to(REAL_ROOT)) for file in files]
    images, _ = read_images(Path(REAL_ROOT), names, (32, 32), "off")
    assert np.array_equal(images, np.stack([np.asarray(Image.open(file)) for file in files]))


@real_data
@pytest.mark.slow
def test_real_cifar10_is_whole():
    data = module(Path(REAL_ROOT), val_size=5000)
    for split, images in ((data.train, 45_000), (data.val, 5000), (data.test, 10_000)):
        assert split.images.shape == (images, 32, 32, 3)
        assert np.bincount(split.labels).tolist() == [images // 10] * 10
    assert data.coding in ("official", JPEG_COPY)
    mean = data.train.images.mean((0, 1, 2))
    assert np.abs(mean - (125.3, 123.0, 113.9)).max() < 1  # the published channel means of the training set
