import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from lta.data import image_cache
from lta.data.decoding import fit_to_size, open_rgb
from lta.data.errors import DataError
from lta.data.image_cache import read_images

RNG = np.random.default_rng(0)
SIZE = (32, 32)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def names(root):
    """Ten random 32x32 PNGs; `pixels(n)` is what number n holds."""
    for number in range(10):
        Image.fromarray(pixels(number)).save(root / f"{number}.png")
    return [f"{number}.png" for number in range(10)]


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (32, 32, 3), np.uint8)


def files_in(folder):
    """But the record of what was read."""
    return sorted(path.name for path in folder.iterdir() if path.name != "contents")


@pytest.fixture
def decoded_files(monkeypatch):
    """The paths that are decoded from here on."""
    seen = []
    original = image_cache.open_rgb
    monkeypatch.setattr(image_cache, "open_rgb", lambda file, *rest: (seen.append(str(file)), original(file, *rest))[1])
    return seen


# What comes out


def test_pictures_of_the_right_size_come_bit_for_bit_and_in_order(root, names, cache):
    images, kept, _ = read_images(root, names, SIZE, cache)
    assert images.dtype == np.uint8
    assert kept.all()
    assert np.array_equal(images, np.stack([pixels(number) for number in range(10)]))


def test_many_pictures_decoded_by_several_threads_come_in_order(root, cache, monkeypatch):
    monkeypatch.setattr(image_cache, "SMALL_FILE", 0)
    names = [f"{number:03}.png" for number in range(300)]
    for number, name in enumerate(names):
        Image.new("RGB", (8, 8), (number % 200, number // 200, 7)).save(root / name)
    images, *_ = read_images(root, names, (8, 8), cache)
    assert (images[:, 0, 0, 0].astype(int) + 200 * images[:, 0, 0, 1]).tolist() == list(range(300))


def test_a_wide_picture_is_scaled_by_its_height_and_cut_in_the_centre():
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 100:200] = (200, 100, 50)  # exactly the centre square
    fitted = np.asarray(fit_to_size(Image.fromarray(picture), (10, 10)))
    assert fitted.shape == (10, 10, 3)
    assert np.array_equal(fitted[:, 2:8], np.broadcast_to(np.uint8((200, 100, 50)), (10, 6, 3)))


def test_size_is_height_then_width(root, names, cache):
    assert read_images(root, names, (20, 40), cache).images.shape == (10, 20, 40, 3)


def test_scaling_down_averages_instead_of_picking_pixels():
    chequered = (np.indices((320, 320)).sum(0) % 2 * 255).astype(np.uint8)
    fitted = np.asarray(fit_to_size(Image.fromarray(chequered).convert("RGB"), SIZE))
    assert np.all(np.abs(fitted.astype(int) - 127) <= 2)


def test_a_large_jpeg_decoded_at_reduced_scale_is_nearly_the_one_decoded_in_full(root):
    picture = Image.fromarray(pixels(0)).resize((160, 160), Image.Resampling.BICUBIC)  # as fine as 32 pixels can show
    picture.save(root / "a.jpg", quality=95, subsampling=0)
    reduced = open_rgb(root / "a.jpg", at_least=SIZE)
    assert reduced.size == (80, 80)
    full = np.asarray(fit_to_size(open_rgb(root / "a.jpg"), SIZE)).astype(int)
    assert np.abs(np.asarray(fit_to_size(reduced, SIZE)).astype(int) - full).mean() <= 2


def test_exif_rotation_is_honoured(root):
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[:, :10] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(picture).save(root / "a.png", exif=exif)
    upright = np.asarray(open_rgb(root / "a.png"))
    assert np.array_equal(upright, np.rot90(picture, -1))


def test_grey_pictures_have_three_equal_channels(root):
    grey = RNG.integers(0, 256, (32, 32), np.uint8)
    Image.fromarray(grey).save(root / "a.png")
    assert np.array_equal(np.asarray(open_rgb(root / "a.png")), np.stack([grey] * 3, -1))


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_16_bit_grey_is_scaled_and_not_clipped(root, ending):
    wide = np.linspace(0, 65535, 32 * 32).astype(np.uint16).reshape(32, 32)
    Image.fromarray(wide).save(root / f"a.{ending}")
    read = np.asarray(open_rgb(root / f"a.{ending}"))[..., 0].astype(int)
    assert np.abs(read - wide / 257).max() <= 0.5


def test_palette_pictures_have_their_colours(root):
    two = Image.fromarray((np.indices((32, 32)).sum(0) % 2).astype(np.uint8)).convert("P")
    two.putpalette([10, 20, 30, 200, 100, 50])
    two.save(root / "a.png")
    read = np.asarray(open_rgb(root / "a.png"))
    assert read[0, 0].tolist() == [10, 20, 30]
    assert read[0, 1].tolist() == [200, 100, 50]


def test_transparency_is_laid_on_white_and_opaque_pixels_are_unchanged(root):
    rgba = np.concatenate([pixels(0), np.full((32, 32, 1), 255, np.uint8)], -1)
    rgba[0, 0] = (10, 20, 30, 0)
    rgba[0, 1] = (0, 0, 0, 51)  # a fifth
    Image.fromarray(rgba).save(root / "a.png")
    read = np.asarray(open_rgb(root / "a.png"))
    assert read[0, 0].tolist() == [255, 255, 255]
    assert read[0, 1].tolist() == [204, 204, 204]
    assert np.array_equal(read[1:], rgba[1:, :, :3])


def test_a_transparent_palette_colour_is_laid_on_white(root):
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 200, 100, 50])
    picture.putpixel((0, 0), 0)
    picture.save(root / "a.gif", transparency=0)
    read = np.asarray(open_rgb(root / "a.gif"))
    assert read[0, 0].tolist() == [255, 255, 255]
    assert read[1, 1].tolist() == [200, 100, 50]


def test_pixels_without_a_known_range_are_refused_instead_of_guessed(root, cache):
    Image.fromarray(np.ones((4, 4), np.float32)).save(root / "a.tif")
    with pytest.raises(DataError, match=r"'a.tif' \(32-bit pixels of unknown range\)"):
        read_images(root, ["a.tif"], SIZE, cache)


# The cache


def test_the_second_reading_decodes_nothing_and_is_memory_mapped(root, names, cache, decoded_files):
    first = read_images(root, names, SIZE, cache).images
    decoded_files.clear()
    second = read_images(root, names, SIZE, cache).images
    assert not decoded_files
    assert np.array_equal(first, second)
    assert isinstance(second.base, np.memmap)
    assert not second.flags.writeable


def test_a_moved_folder_with_the_same_files_is_recognised(root, names, cache, decoded_files):
    read_images(root, names, SIZE, cache)
    root.with_name("elsewhere").mkdir()
    moved = root.rename(root.with_name("elsewhere") / root.name)
    decoded_files.clear()
    read_images(moved, names, SIZE, cache)
    assert not decoded_files


@pytest.mark.parametrize("number", range(0, 40, 3))
def test_a_file_changed_later_is_decoded_anew_whichever_it_is(root, cache, number):
    names = [f"{number:02}.bmp" for number in range(40)]
    for position, name in enumerate(names):
        Image.fromarray(pixels(position)).save(root / name)
        os.utime(root / name, (0, 0))
    read_images(root, names, SIZE, cache)
    Image.fromarray(pixels(99)).save(root / names[number])  # as long as before
    assert np.array_equal(read_images(root, names, SIZE, cache).images[number], pixels(99))


def test_a_file_of_another_length_is_decoded_anew_though_its_time_is_the_same(root, cache):
    names = [f"{number:02}.png" for number in range(40)]
    for name in names:
        Image.new("RGB", SIZE).save(root / name)
        os.utime(root / name, (0, 0))
    read_images(root, names, SIZE, cache)
    Image.fromarray(pixels(99)).save(root / "03.png")
    os.utime(root / "03.png", (0, 0))
    assert np.array_equal(read_images(root, names, SIZE, cache).images[3], pixels(99))


def test_other_contents_with_the_same_names_sizes_and_times_are_told_apart(tmp_path, cache):
    for number, folder in enumerate(("one/set", "two/set")):
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(pixels(number)).save(tmp_path / folder / "a.bmp")
        os.utime(tmp_path / folder / "a.bmp", (0, 0))
    first, second = (read_images(tmp_path / f, ["a.bmp"], SIZE, cache).images for f in ("one/set", "two/set"))
    assert np.array_equal(first[0], pixels(0))
    assert np.array_equal(second[0], pixels(1))


def test_sizes_and_selections_have_caches_of_their_own(root, names, cache):
    assert read_images(root, names, SIZE, cache).images.shape == (10, 32, 32, 3)
    assert read_images(root, names, (16, 16), cache).images.shape == (10, 16, 16, 3)
    assert read_images(root, names[:4], SIZE, cache).images.shape == (4, 32, 32, 3)
    assert len(files_in(cache)) == 3


@pytest.mark.parametrize("damage", ["half", "empty", "other", "one bit of a picture", "one bit of the digest"])
def test_a_damaged_cache_file_is_reported_and_made_anew(root, names, cache, caplog, damage):
    expected = np.array(read_images(root, names, SIZE, cache).images)
    (path,) = cache.glob("*.npy")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-1 if damage == "one bit of the digest" else len(whole) // 2] ^= 1
    others = {"half": whole[: len(whole) // 2], "empty": b"", "other": b"no array at all"}
    path.write_bytes(others.get(damage, bytes(flipped)))
    assert np.array_equal(read_images(root, names, SIZE, cache).images, expected)
    assert "made again" in caplog.text
    assert path.read_bytes() == whole


def test_nothing_but_the_finished_file_is_left(root, names, cache):
    read_images(root, names, SIZE, cache)
    assert [name.endswith(".npy") and not name.startswith(".") for name in files_in(cache)] == [True]


def test_a_process_that_dies_while_writing_leaves_nothing_that_counts(root, names, cache, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", dies)
        with pytest.raises(KeyboardInterrupt):
            read_images(root, names, SIZE, cache)
    assert files_in(cache) == []


def test_a_full_disk_keeps_the_pictures_in_memory_and_leaves_nothing(root, names, cache, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    images, *_ = read_images(root, names, SIZE, cache)
    assert np.array_equal(images[4], pixels(4))
    assert "No space left on device" in caplog.text
    assert files_in(cache) == []


def test_a_cache_folder_that_cannot_be_made_is_said_in_one_line(root, names, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    images, *_ = read_images(root, names, SIZE, tmp_path / "file" / "cache")
    assert np.array_equal(images[4], pixels(4))
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert "stay in memory" in warnings[0]
    assert "\n" not in warnings[0]


@pytest.mark.parametrize("off", ["off", False])
def test_off_writes_no_cache(root, names, off, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert np.array_equal(read_images(root, names, SIZE, off).images[4], pixels(4))
    assert not (tmp_path / "xdg").exists()


def test_several_builders_of_one_cache_at_once_all_get_it_right(root, names, cache, monkeypatch):
    barrier = threading.Barrier(4)
    original = image_cache._decode_all

    def together(*arguments):
        barrier.wait(timeout=10)  # all have found the cache empty
        return original(*arguments)

    monkeypatch.setattr(image_cache, "_decode_all", together)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: read_images(root, names, SIZE, cache).images, range(4)))
    assert all(np.array_equal(images, found[0]) for images in found)
    assert len(files_in(cache)) == 1


# Broken files


@pytest.fixture
def broken(root, names):
    """The ten, of which number 2 to 8 can't be read."""
    (root / "2.png").write_bytes(b"")
    (root / "3.png").write_text("not a picture")
    whole = (root / "4.png").read_bytes()
    (root / "4.png").write_bytes(whole[: len(whole) // 2])
    (root / "5.png").unlink()
    for number in (6, 7, 8):
        (root / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 30)
    return names


def test_broken_files_are_named_in_one_line(root, broken, cache):
    with pytest.raises(DataError) as error:
        read_images(root, broken, SIZE, cache)
    line = str(error.value)
    assert "\n" not in line
    assert "7 of 10" in line
    assert all(f"'{number}.png'" in line for number in (2, 3, 4, 5, 6))
    assert "'7.png'" not in line
    assert "and 2 more" in line
    for reason in ("empty file", "not a picture", "truncated", "No such file"):
        assert reason in line
    assert "on_broken=skip" in line
    assert not files_in(cache)


def test_skipped_files_are_named_each_time_and_the_rest_is_kept(root, broken, cache, caplog, decoded_files):
    for _ in range(2):
        caplog.clear()
        images, kept, _ = read_images(root, broken, SIZE, cache, on_broken="skip")
        assert np.flatnonzero(kept).tolist() == [0, 1, 9]
        assert np.array_equal(images, np.stack([pixels(0), pixels(1), pixels(9)]))
        assert "7 of 10" in caplog.text
        assert "'2.png'" in caplog.text
    assert len(decoded_files) == 10


def test_a_cache_made_by_skipping_does_not_hide_the_broken_files(root, broken, cache):
    read_images(root, broken, SIZE, cache, on_broken="skip")
    with pytest.raises(DataError, match="7 of 10"):
        read_images(root, broken, SIZE, cache)


def test_a_repaired_file_comes_back(root, names, cache):
    (root / "2.png").write_bytes(b"")
    read_images(root, names, SIZE, cache, on_broken="skip")
    Image.fromarray(pixels(2)).save(root / "2.png")
    assert np.array_equal(read_images(root, names, SIZE, cache).images[2], pixels(2))


def test_nothing_left_after_skipping_is_an_error(root, cache):
    (root / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 1"):
        read_images(root, ["a.png"], SIZE, cache, on_broken="skip")


def test_a_decompression_bomb_is_a_broken_file(root, cache, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("RGB", (100, 100)).save(root / "a.png")
    with pytest.raises(DataError, match="decompression bomb"):
        read_images(root, ["a.png"], SIZE, cache)


def test_an_unknown_on_broken_is_refused(root, names, cache):
    with pytest.raises(ValueError, match="on_broken=ignore must be one of error, skip"):
        read_images(root, names, SIZE, cache, on_broken="ignore")
