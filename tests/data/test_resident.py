import logging
import sys

import numpy as np
import processes
import pytest
from commands import environment

from lta.data import resident as module
from lta.data.resident import share_images

IMAGES = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def _small_ones_too(monkeypatch):
    monkeypatch.setattr(module, "SMALLEST", 1)


def files(folder):
    return sorted(folder.glob("[!.]*"))


def test_the_pictures_come_from_one_file_that_stays(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        first, second = (share_images(IMAGES.copy(), "cifar10", tmp_path / "cache") for _ in range(2))
    (file,) = files(tmp_path / "cache")
    assert file.name.startswith("cifar10-300x8x8-")
    assert caplog.text.count("kept as") == 1
    for images in (first, second):
        assert np.array_equal(images, IMAGES)
        assert not images.flags.writeable
    with open("/proc/self/maps") as maps:
        assert sum(str(file) in line for line in maps) == 2  # both are its pages


def test_other_pictures_get_a_file_of_their_own(tmp_path):
    other = IMAGES.copy()
    other[17, 3, 3, 1] += 1
    assert np.array_equal(share_images(IMAGES, "x", tmp_path), IMAGES)
    assert np.array_equal(share_images(other, "x", tmp_path), other)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize(
    "spoilt", [lambda data: data[:1000], lambda data: b"nothing", lambda data: b"", lambda data: data[:-5] + b"12345"]
)
def test_a_damaged_file_is_named_and_made_anew(tmp_path, caplog, spoilt):
    share_images(IMAGES, "x", tmp_path)
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(spoilt(whole))
    assert np.array_equal(share_images(IMAGES, "x", tmp_path), IMAGES)
    assert f"{file} is damaged and is made again" in caplog.text
    assert file.read_bytes() == whole


def test_without_a_cache_and_where_none_can_be_written_they_stay_in_memory(tmp_path, caplog):
    assert share_images(IMAGES, "x", None) is IMAGES
    (tmp_path / "file").write_text("")
    assert share_images(IMAGES, "x", tmp_path / "file") is IMAGES
    assert "each process keeps its own copy" in caplog.text


def test_small_ones_are_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SMALLEST", IMAGES.nbytes + 1)
    assert share_images(IMAGES, "x", tmp_path) is IMAGES
    assert not files(tmp_path)


def test_processes_that_make_it_at_once_agree(tmp_path):
    program = (
        "import sys; import numpy as np; from pathlib import Path; from lta.data import resident as m; m.SMALLEST = 1;"
        "images = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 3), np.uint8);"
        "mapped = m.share_images(images, 'x', Path(sys.argv[1]));"
        "assert np.array_equal(mapped, images);"
        "print(*{line.split()[4] for line in open('/proc/self/maps') if sys.argv[1] in line})"
    )
    command = [sys.executable, "-c", program, tmp_path]
    started = [processes.Started(command, env=environment()) for _ in range(4)]
    assert [process.wait() for process in started] == [0] * 4
    inodes = {process.stdout.strip() for process in started}
    assert len(files(tmp_path)) == 1
    assert inodes == {str(files(tmp_path)[0].stat().st_ino)}, "all have the pages of the one file"
