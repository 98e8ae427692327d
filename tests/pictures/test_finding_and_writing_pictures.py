"""Where pictures come from and where results go."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from lta.pictures.find import find, names_apart
from lta.pictures.read import read
from lta.pictures.write import write

PIXELS = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
RGBA = torch.cat([PIXELS, PIXELS[:1]])


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path, "PNG")


def test_files_and_folders_each_once_in_natural_order(tmp_path):
    names = ["10.jpg", "2.JPG", "a.png", ".hidden.png", "deeper/b.png"]
    touch(*(tmp_path / name for name in names))
    (tmp_path / "notes.txt").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    found = find([tmp_path / "a.png", tmp_path, tmp_path / "deeper"])
    assert [path.name for path in found] == ["a.png", "2.JPG", "10.jpg", "b.png"]


def test_places_without_pictures(tmp_path):
    with pytest.raises(ValueError, match="holds no picture"):
        find([tmp_path])
    with pytest.raises(ValueError, match="nowhere: there is no such file or folder"):
        find([tmp_path / "nowhere"])


def test_no_two_results_have_one_name(tmp_path):
    pictures = [tmp_path / name for name in ("a/x.jpg", "b/x.png", "b/X_1.png", "b/y.png")]
    names = names_apart(pictures)
    assert names == ["x_2", "x_3", "X_1", "y"]


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp", ".PNG"])
def test_what_is_written_is_read_again(tmp_path, suffix):
    path = tmp_path / "new" / f"a{suffix}"
    write(path, RGBA)
    found = read(path)
    exact = suffix != ".webp"
    assert torch.equal(found.alpha, RGBA[3])
    assert (found.rgb.float() - PIXELS).abs().mean() <= (0 if exact else 60), "WebP keeps no colour where nothing is seen"
    write(tmp_path / "a.jpg", PIXELS)
    assert (read(tmp_path / "a.jpg").rgb.float() - PIXELS).abs().mean() < 6


def test_the_profile_is_kept(tmp_path):
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "a.png", icc_profile=profile)
    picture = read(tmp_path / "a.png")
    write(tmp_path / "b.jpg", picture.rgb, picture)
    assert read(tmp_path / "b.jpg").profile == profile


def test_nothing_that_existed_is_lost(tmp_path, monkeypatch):
    write(tmp_path / "a.png", PIXELS)
    with pytest.raises(ValueError, match=r"a.png is the picture itself: it is not overwritten"):
        write(tmp_path / "a.png", PIXELS, read(tmp_path / "a.png"))
    with pytest.raises(ValueError, match=r"b.jpg: JPEG keeps no transparency; choose .png"):
        write(tmp_path / "b.jpg", RGBA)
    with pytest.raises(ValueError, match=r"b.gif: pictures are written as .png, .jpg"):
        write(tmp_path / "b.gif", PIXELS)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ValueError, match=r"a.png can't be written: No space left on device"):
        write(tmp_path / "a.png", PIXELS.flip(1))
    assert torch.equal(read(tmp_path / "a.png").rgb, PIXELS)
    assert os.listdir(tmp_path) == ["a.png"]
