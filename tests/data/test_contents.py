"""The digests of files, and the cache of pictures that is named by them."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lta.data import contents as module
from lta.data.contents import digest_array, digest_files
from lta.data.errors import DataError
from lta.data.image_cache import read_images
from lta.runtime.cache import remove_leftovers
from lta.runtime.files import replace_file

SIZE = (8, 8)


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (*SIZE, 3), np.uint8)


def draw(path: Path, number: int, date: float = 0) -> None:
    """An uncompressed picture: all have one size."""
    Image.fromarray(pixels(number)).save(path)
    os.utime(path, (date, date))


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "set").mkdir()
    for number in range(30):
        draw(tmp_path / "set" / f"{number:02}.bmp", number)
    return tmp_path / "set"


NAMES = [f"{number:02}.bmp" for number in range(30)]


@pytest.fixture
def long_ago(monkeypatch):
    """Files count as settled at once."""
    monkeypatch.setattr(module, "SETTLED", -(10**12))


@pytest.fixture
def files_read(monkeypatch):
    seen = []
    original = module._digest_file
    monkeypatch.setattr(module, "_digest_file", lambda file: (seen.append(Path(file).name), original(file))[1])
    return seen


# The array is that of the pictures that are there, whatever is done with names, sizes and dates


def write_over(root):
    draw(root / "13.bmp", 99)


def exchange(root):
    (root / "13.bmp").rename(root / "x")
    (root / "14.bmp").rename(root / "13.bmp")
    (root / "x").rename(root / "14.bmp")


def replace_by_another_file(root):
    draw(root / "new.bmp", 99)
    os.replace(root / "new.bmp", root / "13.bmp")


def point_a_link_elsewhere(root):
    draw(root.parent / "other.bmp", 99)
    (root / "13.bmp").unlink()
    (root / "13.bmp").symlink_to(root.parent / "other.bmp")


def write_through_a_hard_link(root):
    os.link(root / "13.bmp", root.parent / "same.bmp")
    draw(root.parent / "same.bmp", 99)


def write_a_part_in_place(root):
    with (root / "13.bmp").open("r+b") as file:
        file.seek(100)
        file.write(b"\x00\xff\x00")
    os.utime(root / "13.bmp", (0, 0))


def another_folder_of_that_name(root):
    root.rename(root.with_name("before"))
    root.mkdir()
    for number in range(30):
        draw(root / f"{number:02}.bmp", 200 + number)


CHANGES = [
    write_over,
    exchange,
    replace_by_another_file,
    point_a_link_elsewhere,
    write_through_a_hard_link,
    write_a_part_in_place,
    another_folder_of_that_name,
]


@pytest.mark.parametrize("change", CHANGES)
def test_other_pixels_are_noticed_though_names_sizes_and_dates_are_kept(root, cache, change, long_ago):
    read_images(root, NAMES, SIZE, cache)
    change(root)
    there = np.stack([np.asarray(Image.open(root / name)) for name in NAMES])
    assert np.array_equal(read_images(root, NAMES, SIZE, cache).images, there)


def test_another_root_of_the_same_name_has_its_own_pictures(root, cache, tmp_path):
    read_images(root, NAMES, SIZE, cache)
    (tmp_path / "b" / "set").mkdir(parents=True)
    for number in range(30):
        draw(tmp_path / "b" / "set" / f"{number:02}.bmp", number + (number == 17))
    found = read_images(tmp_path / "b" / "set", NAMES, SIZE, cache).images
    assert np.array_equal(found[17], pixels(18))


# What is read


def test_files_are_read_once_and_again_where_they_changed(root, cache, files_read, long_ago):
    first = digest_files(root, NAMES, cache)
    assert len(files_read) == 30
    assert digest_files(root, NAMES, cache) == first
    assert len(files_read) == 30
    draw(root / "05.bmp", 99)
    os.utime(root / "06.bmp", (7, 7))
    second = digest_files(root, NAMES, cache)
    assert sorted(files_read[30:]) == ["05.bmp", "06.bmp"]
    assert [one == other for one, other in zip(first.digests, second.digests, strict=True)].count(False) == 1


def test_a_file_that_changed_a_moment_ago_is_read_again(root, cache, files_read):
    digest_files(root, NAMES, cache)
    digest_files(root, NAMES, cache)
    assert len(files_read) == 60, "it could have changed twice within the file system's own resolution"


def test_in_full_all_are_read_but_once_a_sweep(root, cache, files_read, long_ago, monkeypatch):
    digest_files(root, NAMES, cache)
    digest_files(root, NAMES, cache, verify="full")
    assert len(files_read) == 60
    monkeypatch.setenv("LTA_VERIFIED_SINCE", str(time.time_ns()))
    for _ in range(3):
        digest_files(root, NAMES, cache, verify="full")
    assert len(files_read) == 90


def test_without_a_cache_all_are_read(root, files_read):
    for _ in range(2):
        digest_files(root, NAMES, None)
    assert len(files_read) == 60


@pytest.mark.parametrize(
    "spoilt", [b"", b"[1, 2]", b"{", b'{"00.bmp": [[1, 2, 3, 4], 5, "zz"]}', b'{"00.bmp": 3}', b"\xff\xfe"]
)
def test_a_damaged_record_is_as_none(root, cache, spoilt):
    first = digest_files(root, NAMES, cache)
    (record,) = (cache / "contents").iterdir()
    record.write_bytes(spoilt)
    assert digest_files(root, NAMES, cache) == first


def test_what_is_no_file_has_no_digest(root, cache):
    os.mkfifo(root / "pipe")
    found = digest_files(root, ["pipe", "nowhere", ".", "00.bmp"], cache)
    assert found.digests[:3] == [b"", b"", b""]
    assert len(found.digests[3]) == 16


def test_a_file_that_changes_while_it_is_read_is_an_error(root, cache, monkeypatch):
    contents = digest_files(root, NAMES, cache)
    draw(root / "03.bmp", 99, date=5)
    with pytest.raises(DataError, match=r"03.bmp changed while it was read"):
        read_images(root, NAMES, SIZE, cache, contents=contents)


# The array


@pytest.mark.parametrize("place", [*np.linspace(0, 1, 21), "last"])
def test_one_flipped_bit_of_the_cached_array_is_noticed(root, cache, caplog, place):
    expected = np.array(read_images(root, NAMES, SIZE, cache).images)
    (path,) = cache.glob("*.npy")
    content = bytearray(path.read_bytes())
    start, end = 128, 128 + expected.nbytes  # the pixels
    content[-1 if place == "last" else min(int(start + place * expected.nbytes), end - 1)] ^= 4
    path.write_bytes(content)
    assert np.array_equal(read_images(root, NAMES, SIZE, cache).images, expected)
    assert "is damaged, as its digest shows, and is made again" in caplog.text
    caplog.clear()
    assert np.array_equal(read_images(root, NAMES, SIZE, cache).images, expected)
    assert not caplog.text


def test_no_flipped_bit_of_the_header_is_an_error_or_another_array(root, cache):
    expected = np.array(read_images(root, NAMES, SIZE, cache).images)
    (path,) = cache.glob("*.npy")
    whole = path.read_bytes()
    for position in range(128):
        for bit in (0, 3, 6):
            content = bytearray(whole)
            content[position] ^= 1 << bit
            path.write_bytes(content)
            assert np.array_equal(read_images(root, NAMES, SIZE, cache).images, expected)


def test_the_digest_of_an_array_is_of_all_its_bytes_and_its_shape():
    array = np.random.default_rng(0).integers(0, 256, (40, 1 << 20), np.uint8)  # more than one chunk
    before = digest_array(array)
    assert digest_array(array.reshape(-1, 1 << 10)) != before
    for position in (0, array.size // 2, array.size - 1):
        array.reshape(-1)[position] ^= 1
        assert digest_array(array) != before
        array.reshape(-1)[position] ^= 1
    assert digest_array(array) == before


# Leftovers


def test_leftovers_of_killed_builders_are_removed_and_what_is_being_written_stays(root, cache):
    cache.mkdir()
    leftover, young = cache / ".a.npy.0123.part", cache / ".b.npy.4567.part"
    leftover.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(leftover, (0, 0))
    with replace_file(cache / "c.npy") as file:
        (written,) = cache.glob(".c.npy.*.part")
        os.utime(written, (0, 0))
        remove_leftovers(cache)
        assert written.exists(), "its writer holds it"
        file.write(b"whole")
    read_images(root, NAMES, SIZE, cache)
    assert (cache / "c.npy").read_bytes() == b"whole"
    assert not leftover.exists()
    assert young.exists()


# 16 bits


def wide(path: Path, low: int, high: int) -> None:
    Image.fromarray(np.linspace(low, high, 64).astype(np.uint16).reshape(8, 8)).save(path)


@pytest.mark.parametrize(
    ("low", "high", "says"), [(0, 4095, "nearly black"), (60000, 65000, "nearly white"), (0, 65535, "")]
)
def test_16_bits_far_from_full_are_said_each_time(root, cache, caplog, low, high, says):
    wide(root / "a.png", low, high)
    for _ in range(2):  # decoded, and from the cache
        caplog.clear()
        read_images(root, ["a.png", "00.bmp"], SIZE, cache)
        assert says in caplog.text
        assert (f"1 16-bit pictures use only values from {low} to {high}" in caplog.text) == bool(says)


def test_the_range_of_16_bits_can_be_given(root, cache, caplog):
    wide(root / "a.png", 0, 4095)
    dark = read_images(root, ["a.png"], SIZE, cache).images
    caplog.clear()
    given = read_images(root, ["a.png"], SIZE, cache, grey_range=(0.0, 4095.0)).images
    assert "16 bits" not in caplog.text
    assert dark.max() == 16
    assert (given.min(), given.max()) == (0, 255)
