"""Pictures of every kind that people have, and files that are none."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from lta.pictures.read import UnusablePicture, read

VALUES = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
RGB = Image.fromarray(VALUES)
TENSOR = torch.from_numpy(VALUES).permute(2, 0, 1)


def saved(picture, kind="PNG", **options):
    out = io.BytesIO()
    picture.save(out, kind, **options)
    out.seek(0)
    return out


def test_a_picture_is_read_to_the_bit(tmp_path):
    RGB.save(tmp_path / "a.png")
    found = read(tmp_path / "a.png")
    assert torch.equal(found.rgb, TENSOR)
    assert (found.alpha, found.profile, found.notes, found.path) == (None, None, (), tmp_path / "a.png")


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "WEBP", "PPM", "TGA", "PCX"])
def test_formats(kind):
    assert torch.equal(read(saved(RGB, kind, **({"lossless": True} if kind == "WEBP" else {}))).rgb, TENSOR)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_as_the_camera_was(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    stored = RGB.transpose(undo[orientation]) if orientation in undo else RGB
    assert torch.equal(read(saved(stored, exif=exif)).rgb, TENSOR)


def test_transparency_is_kept():
    alpha = Image.fromarray(VALUES[..., 0])
    transparent = RGB.copy()
    transparent.putalpha(alpha)
    found = read(saved(transparent))
    assert torch.equal(found.rgb, TENSOR)
    assert torch.equal(found.alpha, TENSOR[0])
    grey = read(saved(transparent.convert("LA")))
    assert torch.equal(grey.alpha, TENSOR[0])
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    found = read(saved(palette, transparency=1))
    assert (found.alpha.unique().tolist(), found.rgb[0].unique().tolist()) == ([0], [255])
    exact = Image.new("RGB", (2, 1), (1, 2, 3))
    exact.putpixel((1, 0), (4, 5, 6))
    assert read(saved(exact, transparency=(1, 2, 3))).alpha.tolist() == [[0, 255]]


def test_greys_of_any_depth():
    deep = (VALUES[..., 0].astype(np.uint16) * 257) + 100
    deep[0, :2] = 0, 65535
    found = read(saved(Image.fromarray(deep)))
    assert found.notes == ("its 16 bits a pixel are shown with 8",)
    assert (found.rgb[:, 0, 0].tolist(), found.rgb[:, 0, 1].tolist()) == ([0] * 3, [255] * 3)
    assert (found.rgb[0, 1:].numpy() == np.rint(deep[1:] / 257)).all()
    floats = read(saved(Image.fromarray(np.array([[-1.0, 0.0, 3.0]], np.float32)), "TIFF"))
    assert (floats.rgb[0].tolist(), floats.notes) == ([[0, 64, 255]], ("its values from -1 to 3 are shown as 0 to 255",))
    assert read(saved(Image.new("1", (3, 3), 1))).rgb.unique().tolist() == [255]
    assert torch.equal(read(saved(RGB.convert("L"))).rgb[2], torch.from_numpy(np.array(RGB.convert("L"))))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read(saved(Image.fromarray(deep), exif=exif))
    assert torch.equal(turned.rgb, found.rgb.rot90(-1, (1, 2))), "deep pictures are turned as well"


def test_printers_colours():
    assert read(saved(Image.new("CMYK", (5, 5), (0, 255, 255, 0)), "JPEG")).rgb.float().mean((1, 2))[0] > 200


def test_animations_are_refused_and_a_phones_second_picture_is_not_one():
    other = RGB.transpose(Image.Transpose.ROTATE_180)
    for kind in ("GIF", "WEBP", "PNG"):
        with pytest.raises(UnusablePicture, match=r"the picture is animated \(2 frames\): give one of them"):
            read(saved(RGB, kind, save_all=True, append_images=[other]))
    with pytest.raises(UnusablePicture, match="holds several pictures"):
        read(saved(RGB, "TIFF", save_all=True, append_images=[other]))
    found = read(saved(RGB, "MPO", save_all=True, append_images=[other]))
    assert found.notes == ("of the 2 pictures in it the first",)
    assert read(saved(RGB, "GIF")).rgb.shape == TENSOR.shape, "one picture is no animation"


def bomb(width, height):
    """A PNG that says it has so many pixels, and holds almost nothing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + body)


@pytest.mark.filterwarnings("ignore:Image size:PIL.Image.DecompressionBombWarning")
def test_bombs_are_not_unpacked():
    with pytest.raises(UnusablePicture, match="has more pixels than can be used"):
        read(bomb(60_000, 60_000))
    with pytest.raises(UnusablePicture, match="has 10000 x 11000 pixels, more than the 100,000,000 allowed"):
        read(bomb(10_000, 11_000), largest=100_000_000)


def test_files_that_are_no_pictures(tmp_path):
    whole = saved(RGB, "JPEG").getvalue()
    for name, content, says in (
        ("text.jpg", b"hello", "is no picture of a kind that Pillow reads"), ("empty.png", b"", "is no picture"),
        ("half.jpg", whole[: len(whole) // 2], "can't be read"),
        ("half.png", saved(RGB).getvalue()[:400], "can't be read"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnusablePicture, match=f"{name} {says}"):
            read(tmp_path / name)
    with pytest.raises(UnusablePicture, match=r"nowhere.png: there is no such file"):
        read(tmp_path / "nowhere.png")
    with pytest.raises(UnusablePicture, match="can't be read: Is a directory"):
        read(tmp_path)
