"""lta.runtime.cache, and what preprocessing keeps there."""

import hashlib
import io
import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from lta.runtime.cache import cache_folder
from lta.runtime.files import replace_file
from lta.transforms import fitted, gcn_zca, yuv_lcn
from lta.transforms.gcn_zca import GcnZca
from lta.transforms.yuv_lcn import YuvLcn

IMAGES = np.random.default_rng(0).integers(0, 256, (30, 4, 6, 3)).astype(np.uint8)


@pytest.fixture(params=[YuvLcn, GcnZca])
def kind(request):
    return request.param


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def measurements(monkeypatch):
    """How often something was measured, as the length of a list."""
    seen = []
    measure_yuv, measure_zca = yuv_lcn._mean_and_std, GcnZca._mean_and_matrix
    monkeypatch.setattr(yuv_lcn, "_mean_and_std", lambda images: (seen.append(1), measure_yuv(images))[1])
    monkeypatch.setattr(GcnZca, "_mean_and_matrix", lambda self, images: (seen.append(1), measure_zca(self, images))[1])
    return seen


def state(kind, cache, images=IMAGES, **settings):
    module = kind(cache=cache, **settings)
    module.fit(images)
    return module.state_dict()


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


# The folder and the files


def test_the_folder_is_the_one_named_or_lies_where_xdg_says_or_in_the_home(monkeypatch, tmp_path):
    assert cache_folder(tmp_path, "some.cache") == cache_folder(str(tmp_path), "some.cache") == tmp_path
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(None, "some.cache") == tmp_path / "lta"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder(None, "some.cache") == tmp_path / "home" / ".cache" / "lta"
    assert cache_folder("~/c", "some.cache") == tmp_path / "home" / "c"


@pytest.mark.parametrize("off", ["off", False])
def test_off_is_no_folder(off):
    assert cache_folder(off, "some.cache") is None


def test_what_is_no_folder_is_refused_by_its_key():
    with pytest.raises(ValueError, match=r"^some\.cache=True must be a folder, null .* or off"):
        cache_folder(True, "some.cache")


def test_a_file_takes_its_place_when_it_is_whole(cache):
    for content in (b"first", b"second"):
        with replace_file(cache / "deep" / "file") as file:
            file.write(content)
        assert (cache / "deep" / "file").read_bytes() == content
    assert files_in(cache / "deep") == ["file"]


def test_a_file_that_is_not_finished_leaves_the_one_before(cache):
    with replace_file(cache / "file") as file:
        file.write(b"first")

    def interrupted():
        with replace_file(cache / "file") as file:
            file.write(b"sec")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (cache / "file").read_bytes() == b"first"
    assert files_in(cache) == ["file"]


# Fitted preprocessing


def test_the_second_fit_reads_what_the_first_measured(kind, cache, measurements, caplog):
    caplog.set_level(logging.INFO)
    first = state(kind, cache)
    second = state(kind, cache)
    assert len(measurements) == 1
    assert same(first, second)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert "measuring 30 pictures of 4x6" in lines[0]
    assert "measured before" in lines[1]
    assert len(files_in(cache)) == 1


@pytest.mark.parametrize("number", [0, 17, 29])
def test_other_pictures_are_measured_anew(kind, cache, measurements, number):
    state(kind, cache)
    changed = IMAGES.copy()
    changed[number, 3, 5, 2] ^= 1
    assert same(state(kind, cache, changed), state(kind, "off", changed))
    assert len(measurements) == 3


def test_pictures_of_another_shape_with_the_same_bytes_are_measured_anew(kind, cache, measurements):
    state(kind, cache)
    state(kind, cache, IMAGES.reshape(30, 6, 4, 3))
    assert len(measurements) == 2


def test_memory_mapped_pictures_are_the_same_pictures(kind, cache, measurements, tmp_path):
    np.save(tmp_path / "images.npy", IMAGES)
    state(kind, cache)
    state(kind, cache, np.load(tmp_path / "images.npy", mmap_mode="r"))
    assert len(measurements) == 1


@pytest.mark.parametrize("settings", [{"scale": 54.0}, {"filter_bias": 0.2}])
def test_other_settings_are_measured_anew(cache, measurements, settings):
    state(GcnZca, cache)
    state(GcnZca, cache, **settings)
    state(GcnZca, cache, scale=55)  # a whole number is the same number
    assert len(measurements) == 2


def test_another_version_of_the_algorithm_measures_anew(kind, cache, measurements, monkeypatch):
    state(kind, cache)
    for module in (yuv_lcn, gcn_zca):
        monkeypatch.setattr(module, "VERSION", 0)
    state(kind, cache)
    assert len(measurements) == 2


def test_both_kinds_share_a_folder(cache, measurements):
    for kind in (YuvLcn, GcnZca, YuvLcn, GcnZca):
        state(kind, cache)
    assert len(measurements) == 2


@pytest.mark.parametrize("damage", ["half", "empty", "other", "bit", "folder"])
def test_a_damaged_file_is_reported_and_made_anew(kind, cache, caplog, damage):
    expected = state(kind, cache)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"half": whole[: len(whole) // 2], "empty": b"", "other": b"x" * 99, "bit": flipped}[damage])
    assert same(state(kind, cache), expected)
    assert "made again" in caplog.text
    if damage != "folder":
        assert same(state(kind, cache), expected)
        assert caplog.text.count("made again") == 1


class Attack:
    def __reduce__(self):
        return os.mkdir, ("attacked",)


def test_nothing_but_tensors_is_unpickled(kind, cache, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = state(kind, cache)
    (path,) = cache.iterdir()
    content = io.BytesIO()
    torch.save({"mean": Attack()}, content)
    path.write_bytes(hashlib.sha256(content.getvalue()).digest() + content.getvalue())
    assert same(state(kind, cache), expected)
    assert "made again" in caplog.text
    assert not (tmp_path / "attacked").exists()


def test_off_keeps_nothing(kind, tmp_path, monkeypatch, measurements):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    state(kind, "off")
    state(kind, False)
    assert len(measurements) == 2
    assert not (tmp_path / "xdg").exists()


def test_null_keeps_it_in_the_users_cache(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    state(kind, None)
    assert len(files_in(tmp_path / "xdg" / "lta")) == 1


def test_a_folder_that_cannot_be_made_is_said_in_one_line(kind, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    assert same(state(kind, tmp_path / "file" / "cache"), state(kind, "off"))
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "measured again next time" in warnings[0]
    assert "\n" not in warnings[0]


def test_a_full_disk_is_said_and_leaves_nothing(kind, cache, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert same(state(kind, cache), state(kind, "off"))
    assert "No space left on device" in caplog.text
    assert files_in(cache) == []


def test_of_several_processes_at_once_one_measures(cache):
    barrier = threading.Barrier(4)
    expected, measured = state(GcnZca, "off"), []

    def measure(images):
        measured.append(1)
        time.sleep(0.2)
        return expected

    def one(number):
        if number is not None:
            barrier.wait(timeout=10)
        return fitted.load_or_measure("some", {}, IMAGES, cache, measure)

    with ThreadPoolExecutor(4) as pool:
        assert all(same(found, expected) for found in pool.map(one, range(4)))
    assert len(measured) == len(files_in(cache)) == 1
    assert same(one(None), expected)
