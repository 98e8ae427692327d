"""Pixels to files: exactly or nearly, whole or not at all, never over the picture they were made from."""

import os

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from lta.pictures.read import Picture, read_image
from lta.pictures.write import write_image

PIXELS = torch.randint(0, 256, (4, 30, 40), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("ending", [".png", ".tif", ".tiff", ".PNG"])
def test_exact_formats(tmp_path, ending):
    path = tmp_path / "new" / f"a{ending}"
    write_image(path, PIXELS)
    picture = read_image(path)
    assert torch.equal(picture.rgb, PIXELS[:3])
    assert torch.equal(picture.alpha, PIXELS[3])
    write_image(path, PIXELS[:3])
    assert torch.equal(read_image(path).rgb, PIXELS[:3])
    assert read_image(path).alpha is None
    assert os.listdir(path.parent) == [path.name], "nothing is left beside it"


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".webp"])
def test_formats_that_come_near(tmp_path, ending):
    smooth = np.asarray(Image.fromarray(PIXELS[:3, :4, :4].permute(1, 2, 0).numpy()).resize((40, 30)))
    pixels = torch.from_numpy(smooth.copy()).permute(2, 0, 1)
    write_image(tmp_path / f"a{ending}", pixels)
    assert (read_image(tmp_path / f"a{ending}").rgb.int() - pixels.int()).abs().float().mean() < 3


def test_a_jpeg_has_all_its_colours_and_no_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS[:3].permute(1, 2, 0).numpy()).save(tmp_path / "turned.jpg", exif=exif)
    picture = read_image(tmp_path / "turned.jpg")
    write_image(tmp_path / "out.jpg", picture.rgb, picture)
    with Image.open(tmp_path / "out.jpg") as image:
        assert [sampling[1:3] for sampling in image.layer] == [(1, 1)] * 3
        assert not image.getexif()
        assert image.size == (30, 40)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tiff"])
def test_the_colour_profile_goes_with_it(tmp_path, ending):
    like = Picture(None, PIXELS[:3], None, SRGB, "PNG", ())
    write_image(tmp_path / f"a{ending}", PIXELS[:3], like)
    assert read_image(tmp_path / f"a{ending}").profile == SRGB
    write_image(tmp_path / f"b{ending}", PIXELS[:3], like._replace(profile=None))
    assert read_image(tmp_path / f"b{ending}").profile is None


def test_the_source_is_not_written_over_under_any_name(tmp_path):
    source = tmp_path / "a.png"
    write_image(source, PIXELS)
    kept, like = source.read_bytes(), read_image(source)
    (tmp_path / "link.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    for name in ("a.png", "link.png", "hard.png"):
        with pytest.raises(ValueError, match=rf"{name} is the picture that this one was made from; choose another name"):
            write_image(tmp_path / name, PIXELS, like)
    assert source.read_bytes() == kept
    write_image(tmp_path / "b.png", PIXELS, like)
    write_image(tmp_path / "b.png", PIXELS[:3], like)
    assert read_image(tmp_path / "b.png").alpha is None, "what was made before may be made again"


@pytest.mark.parametrize(
    ("name", "pixels", "says"),
    [
        ("a.gif", PIXELS, r"a\.gif: pictures are written as \.png \.jpg \.jpeg \.webp \.tif \.tiff, chosen by"),
        ("a", PIXELS, "pictures are written as"),
        ("a.jpg", PIXELS, r"a\.jpg: a JPEG can't be transparent; choose \.png \.webp \.tif \.tiff$"),
        ("a.jpeg", PIXELS, "a JPEG can't be transparent"),
        ("a.png", PIXELS[:2], r"an array of shape \(2, 30, 40\) is not a picture"),
        ("a.png", PIXELS[:, :0], "is not a picture"),
        ("a.webp", PIXELS[:3, :1, :1].expand(3, 1, 16384), r"a\.webp: 16384 x 1 pixels can't be written as WEBP: "),
        ("a.jpg", PIXELS[:3, :1, :1].expand(3, 1, 65536), r"a\.jpg: 65536 x 1 pixels can't be written as JPEG: "),
    ],
)
def test_what_cant_be_written(tmp_path, name, pixels, says):
    with pytest.raises(ValueError, match=says) as error:
        write_image(tmp_path / name, pixels)
    assert "\n" not in str(error.value)
    assert not os.listdir(tmp_path)


def test_a_folder_is_no_place_for_pixels(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ValueError, match=r"a\.png is a folder"):
        write_image(tmp_path / "a.png", PIXELS)


def test_what_fails_half_way_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", PIXELS)
    before = (tmp_path / "a.png").read_bytes()

    def full(self, file, **options):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space left"):
        write_image(tmp_path / "a.png", PIXELS[:3])
    assert (tmp_path / "a.png").read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]
