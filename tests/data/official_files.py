"""What the data sets that come as official files have in common, tested on small stand-ins; nothing reaches the network.

A test file gives the fixture `official` and lets its tests' class inherit `OfficialFiles`.
"""

import hashlib
import inspect
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

import jaxtyping
import numpy as np
import pytest
from omegaconf import OmegaConf

from lta.data import resident
from lta.data.base import ImageData
from lta.data.errors import DataError
from lta.data.rows import Rows

CONF = Path(__file__).parents[2] / "conf" / "data"
NOWHERE = "http://127.0.0.1:9"
"""Refuses connections."""


class Official(NamedTuple):
    """`name`: of the data set. `source`: a folder that holds the stand-ins `files`, whose checksums are in force.
    `beside`: what lies beside them once they have been read. `downloads_to`: a folder below the root. `point`: makes a
    base address that of the download.
    """

    name: str
    make: Callable[..., ImageData]
    source: Path
    files: tuple[str, ...]
    beside: tuple[str, ...]
    downloads_to: str
    point: Callable[[str], None]
    val_size: int = 20

    def ready(self, root: Path | None, **arguments) -> ImageData:
        data = self.make(**{"root": None if root is None else str(root), "val_size": 0, "batch_size": 8, **arguments})
        data.prepare_data()
        data.setup()
        return data

    def refused(self, root: Path | None, **arguments) -> str:
        with pytest.raises(DataError) as error:
            self.ready(root, **arguments)
        assert "\n" not in str(error.value)
        return str(error.value)

    def put(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.files:
            shutil.copy(self.source / name, folder)
        return folder


def source_of(images: np.ndarray | Rows) -> np.ndarray:
    """What batches are gathered from."""
    return images.array if isinstance(images, Rows) else images


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The files of `folder` over HTTP: the address, and the paths that have been asked for."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


class OfficialFiles:
    @pytest.fixture(autouse=True)
    def own_surroundings(self, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
        monkeypatch.delenv("LTA_DATA_ROOT", raising=False)
        monkeypatch.setenv("no_proxy", "127.0.0.1")

    @pytest.fixture
    def root(self, tmp_path):
        folder = tmp_path / "root"
        folder.mkdir()
        return folder

    @pytest.fixture
    def as_users_run_it(self):
        """Without the check of types, which would come before ours."""
        jaxtyping.config.update("jaxtyping_disable", True)
        yield
        jaxtyping.config.update("jaxtyping_disable", False)

    @pytest.fixture
    def asked(self, official):
        with served(official.source) as (address, asked):
            official.point(address)
            yield asked

    # Where they are

    @pytest.mark.parametrize("own_folder", [False, True])
    def test_they_are_found_in_the_root_and_in_a_folder_of_their_name(self, official, root, own_folder, asked):
        place = official.put(root / official.name if own_folder else root)
        assert official.ready(root).coding == "official"
        assert names_in(place) == sorted([*official.files, *official.beside])
        assert asked == [], "nothing is downloaded where data are"

    def test_the_root_is_the_argument_then_the_environment_then_data(self, official, root, monkeypatch, tmp_path):
        official.put(root)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LTA_DATA_ROOT", str(root))
        assert len(official.ready(None).train.labels) > 0
        assert str(tmp_path / "other") in official.refused(tmp_path / "other", download=False)
        monkeypatch.setenv("LTA_DATA_ROOT", "")
        assert str(tmp_path / "data") in official.refused(None, download=False)
        root.rename(tmp_path / "data")
        assert len(official.ready(None).train.labels) > 0

    def test_setup_alone_reads_them_too(self, official, root):
        official.put(root)
        data = official.make(str(root), val_size=0)
        data.setup()
        assert len(data.train.labels) > 0

    # What is read

    def test_images_lie_as_batches_need_them(self, official, root):
        official.put(root)
        data = official.ready(root, val_size=official.val_size)
        for split in (data.train, data.val, data.test):
            assert source_of(split.images).flags.c_contiguous
            assert split.images.dtype == np.uint8
            assert len(split.images.shape) == 4
            assert split.images.shape[3] == 3
            assert split.labels.dtype == np.int64
            assert len(split.images) == len(split.labels)

    def test_val_is_cut_from_train_by_split_seed_alone(self, official, root):
        official.put(root)
        whole, data = official.ready(root), official.ready(root, val_size=official.val_size)
        assert whole.val is None
        assert len(data.val.labels) == official.val_size
        assert rows(data.train) + rows(data.val) == rows(whole.train)
        assert not set(rows(data.train)) & set(rows(data.val))
        shares = np.bincount(whole.train.labels) * official.val_size / len(whole.train.labels)
        assert np.all(np.abs(np.bincount(data.val.labels) - shares) < 1)
        again = official.ready(root, val_size=official.val_size, seed=3)
        assert np.array_equal(again.val.images, data.val.images)
        other = official.ready(root, val_size=official.val_size, split_seed=3)
        assert not np.array_equal(other.val.images, data.val.images)
        assert np.array_equal(other.test.images, data.test.images)

    def test_a_val_size_above_the_images_is_refused(self, official, root):
        official.put(root)
        images = len(official.ready(root).train.labels)
        with pytest.raises(ValueError, match=rf"data\.val_size={images} must be between 0 and {images - 1}"):
            official.ready(root, val_size=images)

    # Damage

    def test_a_damaged_file_is_named_with_its_checksum_and_kept(self, official, root):
        for name in official.files:
            place = official.put(root / name)
            contents = bytearray((place / name).read_bytes())
            contents[len(contents) // 2] ^= 1
            (place / name).write_bytes(contents)
            line = official.refused(place)
            assert f"{place / name} is damaged or not the official" in line
            assert f"MD5 is not {md5(official.source / name)}" in line
            assert "delete it to have it downloaded again, or replace it by http" in line
            assert names_in(place) == sorted(official.files), "nothing of it is unpacked"
            assert (place / name).read_bytes() == contents

    # Download

    def test_what_is_not_there_is_downloaded_once(self, official, tmp_path, asked):
        root = tmp_path / "new" / "root"
        assert official.ready(root).coding == "official"
        assert {Path(path).name for path in asked} == set(official.files)
        before = len(asked)
        official.ready(root)
        assert len(asked) == before
        assert names_in(root / official.downloads_to) == sorted([*official.files, *official.beside])

    def test_a_damaged_download_is_refused_and_leaves_nothing(self, official, tmp_path, asked):
        for name in official.files:
            (official.source / name).write_bytes(b"half of it")
        line = official.refused(tmp_path / "root")
        assert "the download failed (RuntimeError: File not found or corrupted" in line
        assert not (tmp_path / "root").exists()

    def test_offline_the_line_says_what_where_and_the_ways_on(self, official, tmp_path):
        line = official.refused(tmp_path / "root")
        first = official.files[0]
        for part in (
            f"no {official.name} below {tmp_path / 'root'}",
            f"nor in {official.name}/",
            "Connection refused",
            f"put {NOWHERE}/{first} at {tmp_path / 'root' / official.downloads_to / first}, or give",
            "data.root=",
            "LTA_DATA_ROOT",
        ):
            assert part in line
        assert not (tmp_path / "root").exists()

    def test_download_false_asks_nobody(self, official, root, asked):
        line = official.refused(root, download=False)
        assert f"no {official.name} below {root}" in line
        assert ", and data.download=false; put http" in line
        assert all(name in line for name in official.files)
        assert asked == []

    def test_setup_never_downloads(self, official, root, asked):
        with pytest.raises(DataError, match=f"no {official.name} below"):
            official.make(str(root)).setup()
        assert asked == []

    # Arguments

    @pytest.mark.usefixtures("as_users_run_it")
    def test_what_is_no_number_or_flag_is_refused(self, official):
        for argument, value in (
            ("val_size", -1),
            ("val_size", 0.1),
            ("split_seed", -1),
            ("download", "no"),
            ("batch_size", 0),
            ("eval_batch_size", 0),
        ):
            with pytest.raises(ValueError, match=rf"data\.{argument}={value} must be"):
                official.make(**{argument: value})

    def test_the_yaml_gives_every_argument_of_the_class_as_the_class_does(self, official):
        conf = OmegaConf.to_container(OmegaConf.load(CONF / f"{official.name}.yaml"), resolve=False)
        parameters = inspect.signature(type(official.make())).parameters
        assert conf["_target_"] == f"{type(official.make()).__module__}.{type(official.make()).__name__}"
        given = {key: value for key, value in conf.items() if key not in ("defaults", "_target_", "seed")}
        assert given == {name: parameter.default for name, parameter in parameters.items() if name != "seed"}


def rows(split) -> Counter:
    """The images of a split with their labels, without their order."""
    return Counter((image.tobytes(), int(label)) for image, label in zip(split.images, split.labels, strict=True))


class OfficialArrays(OfficialFiles):
    """Of files that hold arrays of pixels."""

    def test_pictures_are_kept_once_for_all_processes(self, official, root, tmp_path, monkeypatch):
        monkeypatch.setattr(resident, "SMALLEST", 1)
        official.put(root)
        kept, own = (official.ready(root, cache=cache) for cache in (tmp_path / "kept", "off"))
        assert len(list((tmp_path / "kept").glob("*.npy"))) == 2, "of train and of test"
        for one, other in ((kept.train, own.train), (kept.test, own.test)):
            assert np.array_equal(one.images, other.images)
            assert not one.images.flags.writeable
