"""Pictures whose pixels are there, in files that Pillow refuses."""

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from lta.data.decoding import open_rgb
from lta.pictures.mend import mend_file
from lta.pictures.read import UnusablePicture, read_image

PIXELS = np.random.default_rng(0).integers(1, 256, (120, 90, 3), dtype=np.uint8)


def save_png(path, **texts):
    info = PngImagePlugin.PngInfo()
    for name, add in texts.items():
        add(info, name)
    Image.fromarray(PIXELS).save(path, pnginfo=info)


@pytest.mark.parametrize(
    "texts",
    [
        {"packed": lambda info, name: info.add_text(name, "x" * 3_000_000, zip=True)},
        {"plain": lambda info, name: info.add_text(name, "x" * 3_000_000)},
        {"unicode": lambda info, name: info.add_itxt(name, "x" * 3_000_000, zip=True)},
        {f"part{i}": lambda info, name: info.add_text(name, "y" * 900_000, zip=True) for i in range(80)},
    ],
)
def test_texts_of_a_png_are_no_part_of_the_picture(tmp_path, texts):
    save_png(tmp_path / "a.png", **texts)
    picture = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.rgb.permute(1, 2, 0), PIXELS)
    np.testing.assert_array_equal(np.asarray(open_rgb(tmp_path / "a.png")), PIXELS)
    assert picture.notes == ()


def test_a_profile_too_large_is_left_out_and_said(tmp_path):
    profile = b"\0" * 16 + b"RGB " + b"\0" * 3_000_000
    Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=profile)
    picture = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.rgb.permute(1, 2, 0), PIXELS)
    assert (picture.profile, picture.notes) == (None, ("its colour profile is too large and is left out",))
    Image.fromarray(PIXELS).save(tmp_path / "a.png", icc_profile=profile[:1000])
    assert read_image(tmp_path / "a.png").profile == profile[:1000]


@pytest.mark.parametrize("missing", [1, 2, 10, 100])
def test_a_jpeg_without_its_last_bytes_is_taken_and_said(tmp_path, missing):
    Image.fromarray(PIXELS).save(tmp_path / "whole.jpg", quality=90)
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[:-missing])
    picture = read_image(tmp_path / "a.jpg")
    assert picture.notes == ("its last bytes are missing",)
    expected = read_image(tmp_path / "whole.jpg").rgb
    if missing <= 2:
        np.testing.assert_array_equal(picture.rgb, expected)
    np.testing.assert_array_equal(picture.rgb[:, :-16], expected[:, :-16])
    np.testing.assert_array_equal(np.asarray(open_rgb(tmp_path / "a.jpg")), picture.rgb.permute(1, 2, 0))


def test_half_a_jpeg_is_not_a_picture(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", quality=90)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnusablePicture, match=r"a\.jpg: can't be read: image file is truncated"):
        read_image(tmp_path / "a.jpg")
    with pytest.raises(OSError, match="truncated"):
        open_rgb(tmp_path / "a.jpg")


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0 no picture", b"GIF89a"])
def test_what_is_no_picture_stays_as_it_is(content):
    assert mend_file(content) == (content, ())
    damaged = b"\x89PNG\r\n\x1a\n" + content
    assert mend_file(damaged) == (damaged, ())
