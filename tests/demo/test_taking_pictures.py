"""What is taken from visitors, and what is refused."""

import zlib
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image, ImageFile
from pretended_page import photograph

from lta.demo.limits import PREVIEW, Limits, decode_image, make_limits, make_preview, read_upload, shorten_name
from lta.pictures.read import UnusablePicture

MOST = Limits(1000, 10_000)


def test_files_that_are_too_large_are_not_read(tmp_path, monkeypatch):
    file = tmp_path / "a.png"
    file.write_bytes(bytes(1000))
    assert read_upload(file, MOST) == ("a.png", bytes(1000))
    file.write_bytes(bytes(1001))
    monkeypatch.setattr(type(file), "read_bytes", lambda path: pytest.fail("it is read"))
    with pytest.raises(UnusablePicture, match=r"^a\.png has 0\.0 MB; at most 0\.00095\d* MB are allowed$"):
        read_upload(file, MOST)


def claiming(width, height):
    """A small PNG whose header says that it has so many pixels."""
    small = photograph()
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + small[24:29]
    return small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]


def test_bombs_are_refused_before_they_are_decoded(monkeypatch):
    bomb = claiming(100_000, 100_000)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it is decoded"))
    with pytest.raises(UnusablePicture, match=r"^big\.png: has 100000 x 100000 pixels; at most 10,000 are read$"):
        decode_image("big.png", bomb, MOST)


def test_what_is_no_picture_is_called_by_its_name():
    with pytest.raises(UnusablePicture, match=r"^notes\.jpg: is no picture of a known format$"):
        decode_image("notes.jpg", b"no picture", MOST)


def test_a_preview_has_few_pixels_and_the_same_shape():
    picture = decode_image("a.png", photograph(90, 60, mode="RGBA"), MOST)
    assert make_preview(picture) is picture
    small = make_preview(picture, 1000)
    assert small.rgb.shape == (3, 25, 38)
    assert small.alpha.shape == (25, 38)
    expected = Image.open(BytesIO(photograph(90, 60, mode="RGBA"))).resize((38, 25), Image.Resampling.LANCZOS)
    assert torch.equal(small.alpha, torch.from_numpy(np.array(expected.getchannel("A"))))
    long = make_preview(picture._replace(rgb=torch.zeros(3, 1, 2 * PREVIEW, dtype=torch.uint8), alpha=None))
    assert long.rgb.shape[1] == 1
    assert long.rgb.shape[2] < 2 * PREVIEW


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("", "picture"),
        ("a\nb\x00.png", "ab.png"),
        ("é" * 200 + ".jpeg", "é" * 75 + ".jpeg"),
        ("x." + "y" * 300, "x." + "y" * 9),
    ],
)
def test_names_fit_a_line_and_a_file_system(given, kept):
    assert shorten_name(given) == kept


@pytest.mark.parametrize(
    ("megabytes", "megapixels", "says"),
    [
        (0, 1, "largest.megabytes=0"),
        (1, "many", "largest.megapixels=many"),
        (True, 1, "largest.megabytes=True"),
    ],
)
def test_limits_are_positive_numbers(megabytes, megapixels, says):
    assert make_limits(0.5, 2) == Limits(2**19, 2_000_000)
    with pytest.raises(ValueError, match=says):
        make_limits(megabytes, megapixels)
