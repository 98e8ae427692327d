"""Pictures as files have them: sizes, formats, modes, orientation, transparency, and all that can be wrong with one."""

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from commands import environment
from PIL import Image, ImageCms, ImageOps

from lta.pictures import read as module
from lta.pictures.read import UnusablePicture, read_image
from lta.training.given import read_fitted

RGB = np.random.default_rng(0).integers(0, 256, (300, 5, 3), np.uint8)  # taller than a strip
ALPHA = np.random.default_rng(1).integers(0, 256, (300, 5), np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def saved(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def hwc(tensor):
    return tensor.permute(1, 2, 0).numpy()


def refused(source, **options):
    with pytest.raises(UnusablePicture) as error:
        read_image(source, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_what_pillow_says_of_bytes_and_offsets_is_said_in_words(tmp_path):
    for content in (b"x", b"ab\n"):
        (tmp_path / "b.jpg").write_bytes(content)
        assert "unpack" not in refused(tmp_path / "b.jpg")
        with pytest.raises(ValueError, match=r"b\.jpg") as error:
            read_fitted(tmp_path / "b.jpg", (8, 8))
        assert "unpack" not in str(error.value)


@pytest.mark.parametrize("form", ["PNG", "BMP", "PPM", "TIFF", "TGA", "QOI", "WEBP", "JPEG2000"])
def test_pixels_are_those_of_the_file(tmp_path, form):
    options = {"WEBP": {"lossless": True}}.get(form, {})
    (tmp_path / "a.x").write_bytes(saved(Image.fromarray(RGB), form, **options))
    picture = read_image(tmp_path / "a.x")
    assert np.array_equal(hwc(picture.rgb), RGB)
    assert picture.rgb.is_contiguous()
    assert (picture.path, picture.alpha, picture.profile, picture.format) == (tmp_path / "a.x", None, None, form)
    assert picture.notes == ()


def test_bytes_streams_and_names_are_sources_too(tmp_path):
    data = saved(Image.fromarray(RGB))
    (tmp_path / "a.png").write_bytes(data)
    for source in (data, bytearray(data), memoryview(data), io.BytesIO(data), str(tmp_path / "a.png")):
        assert np.array_equal(hwc(read_image(source).rgb), RGB)
    with (tmp_path / "a.png").open("rb") as stream:
        picture = read_image(stream)
        assert not stream.closed, "it belongs to the caller"
    assert picture.path is None


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(Image.fromarray(RGB[:40, :24].repeat(5, 1)), form, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        stored = np.asarray(image if form == "TIFF" else ImageOps.exif_transpose(image))  # Pillow turns TIFF itself
    picture = read_image(data)
    assert np.array_equal(hwc(picture.rgb), stored)
    assert picture.rgb.shape[1:] == ((40, 25) if orientation < 5 else (25, 40))
    said = () if orientation == 1 or form == "TIFF" else (f"turned upright (EXIF orientation {orientation})",)
    assert picture.notes == said


def test_a_rotated_photograph_is_the_rotated_pixels():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = read_image(saved(Image.fromarray(RGB), exif=exif))
    assert np.array_equal(hwc(turned.rgb), np.rot90(RGB, -1))


def test_a_spoilt_exif_block_does_not_spoil_the_picture(monkeypatch):
    def spoilt(self):
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(Image.Image, "getexif", spoilt)
    picture = read_image(saved(Image.fromarray(RGB), "BMP"))
    assert np.array_equal(hwc(picture.rgb), RGB)
    assert picture.notes == ("its EXIF data can't be read: shown as stored",)


# Transparency


def test_alpha_is_kept_and_the_colours_below_it_too():
    picture = read_image(saved(Image.fromarray(np.dstack([RGB, ALPHA]))))
    assert np.array_equal(hwc(picture.rgb), RGB)
    assert np.array_equal(picture.alpha.numpy(), ALPHA)


def test_on_white_is_pillows_for_every_value_and_alpha():
    values = np.dstack([*np.meshgrid(range(256), range(256))] * 2).astype(np.uint8)[..., [0, 2, 0, 1]]
    stored = Image.fromarray(values, "RGBA")
    file = io.BytesIO()
    stored.save(file, "PNG")
    picture = read_image(file)
    expected = Image.alpha_composite(Image.new("RGBA", stored.size, "white"), stored).convert("RGB")
    assert torch.equal(picture.on_white, torch.from_numpy(np.array(expected)).permute(2, 0, 1))
    assert torch.equal(picture.rgb[0], torch.from_numpy(values[..., 0].copy())), "below it all is as stored"
    opaque = picture._replace(alpha=None)
    assert opaque.on_white is opaque.rgb


def test_alpha_is_turned_with_the_picture():
    exif = Image.Exif()
    exif[0x0112] = 8
    picture = read_image(saved(Image.fromarray(np.dstack([RGB, ALPHA])), exif=exif))
    assert np.array_equal(picture.alpha.numpy(), np.rot90(ALPHA))


def test_grey_with_alpha():
    picture = read_image(saved(Image.merge("LA", [Image.fromarray(RGB[..., 0]), Image.fromarray(ALPHA)])))
    assert np.array_equal(hwc(picture.rgb), RGB[..., :1].repeat(3, 2))
    assert np.array_equal(picture.alpha.numpy(), ALPHA)


@pytest.mark.parametrize("mode", ["P", "RGB", "L", "1", "I;16"])
def test_one_transparent_colour(mode):
    values = np.where(np.arange(300 * 5).reshape(300, 5) % 3 == 0, 0, 255).astype(np.uint8)
    image = {
        "I;16": lambda: Image.fromarray(values.astype(np.uint16)),
        "P": lambda: Image.fromarray(values).convert("P"),
    }.get(mode, lambda: Image.fromarray(values).convert(mode))()
    assert image.mode == mode
    picture = read_image(saved(image, transparency=(0, 0, 0) if mode == "RGB" else 0))
    assert np.array_equal(picture.alpha.numpy() == 0, values == 0)
    assert set(picture.alpha.unique().tolist()) == {0, 255}


def test_a_palette():
    image = Image.fromarray(RGB).quantize(16)
    picture = read_image(saved(image))
    assert picture.alpha is None
    assert np.array_equal(hwc(picture.rgb), np.asarray(image.convert("RGB")))


# Grey of many kinds, other colour spaces


def test_16_bit_grey_is_exact():
    grey = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    picture = read_image(saved(Image.fromarray(grey)))
    exact = np.rint(grey.astype(np.float64) / 257).astype(np.uint8)
    assert np.array_equal(hwc(picture.rgb), exact[..., None].repeat(3, 2))
    assert picture.notes == ("16 bits per channel, shown with 8",)
    tiff = read_image(saved(Image.fromarray(grey.astype(">u2")), "TIFF"))
    assert torch.equal(tiff.rgb, picture.rgb)


def test_16_bit_colours_are_said_to_lose_bits():
    import struct
    import zlib

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    row = b"\0" + struct.pack(">3H", 0x12FF, 0x8000, 0xFFFF)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    picture = read_image(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b""))
    assert picture.rgb.flatten().tolist() == [0x12, 0x80, 0xFF]
    assert picture.notes == ("16 bits per channel, shown with 8",)


def test_floating_point_grey_goes_from_its_lowest_to_its_highest():
    values = np.array([[-1.0, 0.0, 3.0], [np.nan, np.inf, -np.inf]], np.float32)
    picture = read_image(saved(Image.fromarray(values), "TIFF"))
    assert picture.rgb[0].tolist() == [[0, 64, 255], [0, 255, 0]]
    assert torch.equal(picture.rgb[0], picture.rgb[2])
    assert picture.notes == ("floating-point grey from -1 to 3, shown as 0 to 255",)
    flat = read_image(saved(Image.fromarray(np.full((2, 2), 7.0, np.float32)), "TIFF"))
    assert flat.rgb.unique().tolist() == [0]


def test_32_bit_grey_goes_from_its_lowest_to_its_highest():
    values = np.array([[-(2**31), 0, 2**31 - 1]], np.int32)
    picture = read_image(saved(Image.fromarray(values), "TIFF"))
    assert picture.rgb[1].tolist() == [[0, 128, 255]]
    assert picture.notes == ("32-bit grey from -2.14748e+09 to 2.14748e+09, shown as 0 to 255",)


@pytest.mark.parametrize(
    ("mode", "form"), [("1", "PNG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("LAB", "TIFF")]
)
def test_other_modes_come_out_as_pillow_converts_them(mode, form):
    if mode == "LAB":
        image = ImageCms.profileToProfile(
            Image.fromarray(RGB), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
    else:
        image = Image.fromarray(RGB).convert(mode)
    data = saved(image, form)
    with Image.open(io.BytesIO(data)) as opened:
        expected, stored = np.asarray(opened.convert("RGB")), opened.mode
    picture = read_image(data)
    assert np.array_equal(hwc(picture.rgb), expected)
    assert picture.notes[:1] == ((f"{mode} turned into RGB",) if stored in ("CMYK", "LAB") else ())
    assert picture.profile is None


# Colour profiles


def test_the_profile_is_kept_where_it_is_one_for_rgb():
    assert read_image(saved(Image.fromarray(RGB), icc_profile=SRGB)).profile == SRGB
    grey = SRGB[:16] + b"GRAY" + SRGB[20:]
    picture = read_image(saved(Image.fromarray(RGB[..., 0]), icc_profile=grey))
    assert picture.profile is None
    assert picture.notes == ("its colour profile is not one for RGB and is left out",)


# Several pictures in a file


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
def test_animations_are_refused(tmp_path, form):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
    path = tmp_path / "moving"
    path.write_bytes(saved(frames[0], form, save_all=True, append_images=frames[1:]))
    assert refused(path) == f"{path}: is animated; save one of its frames as a picture"


def test_a_gif_of_one_frame_is_a_picture():
    picture = read_image(saved(Image.new("RGB", (20, 20), "red"), "GIF"))
    assert picture.rgb[:, 3, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("form", ["MPO", "TIFF"])
def test_the_first_of_the_pictures_that_phones_and_scanners_put_into_a_file(form):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green")]
    picture = read_image(saved(frames[0], form, save_all=True, append_images=frames[1:]))
    assert picture.rgb[:, 3, 3].tolist() in ([255, 0, 0], [254, 0, 0])
    assert picture.format == form
    assert picture.notes == ("the first of 2 pictures in the file",)


# What is refused


def test_bombs_are_refused_before_they_are_decoded(monkeypatch):
    image = saved(Image.new("1", (20_000, 20_000)))
    assert len(image) < 100_000
    monkeypatch.setattr(module, "_decode_image", lambda image: pytest.fail("it was decoded"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert refused(image) == "the picture: has 20000 x 20000 pixels; at most 200,000,000 are read"
    monkeypatch.undo()
    small = saved(Image.fromarray(RGB))
    assert refused(small, largest=1499) == "the picture: has 5 x 300 pixels; at most 1,499 are read"
    assert read_image(small, largest=1500).rgb.shape == (3, 300, 5)


@pytest.mark.parametrize("form", ["TIFF", "PNG"])
def test_pillows_own_limit_is_neither_heard_nor_changed(monkeypatch, form):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(hwc(read_image(saved(Image.fromarray(RGB), form)).rgb), RGB)
    assert Image.MAX_IMAGE_PIXELS == 100
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(saved(Image.fromarray(RGB))))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"])
def test_half_a_file(tmp_path, form):
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    whole = saved(Image.fromarray(noise), form)
    for part in (len(whole) // 2, 40, 3):
        (tmp_path / "half").write_bytes(whole[:part])
        assert refused(tmp_path / "half").startswith(f"{tmp_path / 'half'}: ")


def test_every_spoilt_byte_is_a_picture_or_a_line():
    whole = saved(Image.fromarray(RGB[:8]))
    for position in range(0, len(whole), 7):
        spoilt = whole[:position] + bytes([whole[position] ^ 255]) + whole[position + 1 :]
        try:
            said = read_image(spoilt).notes
        except UnusablePicture as error:
            said = (str(error),)
        assert not any("\n" in line for line in said)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "a.jpg").write_text("hello")
    (tmp_path / "b.jpg").write_bytes(b"")
    (tmp_path / "c.eps").write_bytes(saved(Image.fromarray(RGB), "EPS"))
    assert refused(tmp_path / "a.jpg") == f"{tmp_path}/a.jpg: is no picture of a known format"
    assert refused(tmp_path / "b.jpg") == f"{tmp_path}/b.jpg: is empty"
    assert refused(tmp_path / "c.eps") == f"{tmp_path}/c.eps: has the format EPS, which lta does not read"
    assert refused(tmp_path) == f"{tmp_path}: is a folder, not a picture"
    assert refused(tmp_path / "d.jpg") == f"{tmp_path}/d.jpg: there is no such file"
    assert refused("/dev/zero") == "/dev/zero: is not a regular file"
    assert refused(b"") == "the picture: is empty"


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(saved(Image.fromarray(RGB)))

    def forbidden(*arguments):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", forbidden)
    assert refused(path) == f"{path}: can't be read: Permission denied"


# A process default device, and the cost


def test_pixels_are_on_the_cpu_whatever_the_default_device_is():
    with torch.device("meta"):
        picture = read_image(saved(Image.fromarray(np.dstack([RGB, ALPHA]))))
    assert picture.rgb.device.type == picture.alpha.device.type == "cpu"
    assert np.array_equal(hwc(picture.rgb), RGB)


PROBE = """
import resource, sys, time
from lta.pictures.read import read_image
def peak(): return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read_image(sys.argv[1])
before = peak()
start = time.process_time()
picture = read_image(sys.argv[2])
print(time.process_time() - start, (peak() - before) / picture.rgb.numel())
"""


@pytest.mark.slow
@pytest.mark.parametrize("orientation", [1, 6])
def test_24_megapixels_take_a_second_and_less_than_three_copies(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    Image.fromarray(smooth).resize((60, 40)).save(tmp_path / "small.jpg", exif=exif)
    Image.fromarray(smooth).resize((6000, 4000), Image.Resampling.BICUBIC).save(
        tmp_path / "large.jpg", quality=92, exif=exif
    )
    command = [sys.executable, "-c", PROBE, tmp_path / "small.jpg", tmp_path / "large.jpg"]
    seconds, copies = map(float, subprocess.check_output(command, env=environment(), text=True).split())
    assert seconds < 1.2
    assert copies < 3
