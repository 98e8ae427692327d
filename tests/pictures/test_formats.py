"""Pictures as phones take them: read where a package for them is installed, else named with what helps."""

import base64

import numpy as np
import pytest
import torch
from PIL import Image

from lta.data.decoding import open_rgb
from lta.data.image_folder import ImageFolder
from lta.pictures import formats
from lta.pictures.find import explain_unread, find_images, list_extensions
from lta.pictures.read import UnusablePicture, read_image

HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAXxtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAACJpbG9jAA"
    "AAAERAAAEAAQAAAAABoAABAAAAAAAAADcAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRtAAAAAAABAAAA/GlwcnAA"
    "AADcaXBjbwAAAHVodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQApQgEBA3AAAAMAkA"
    "AAAwAAAwAeoCCBBZbqrprm4CGgwIAAAAyAAAADAIRiAAEABkQBwXPBiQAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAA"
    "AChjbGFwAAAAGAAAAAEAAAAQAAAAAf///9gAAAAC////0AAAAAIAAAAQcGl4aQAAAAADCAgIAAAAGGlwbWEAAAAAAAAAAQABBYECAwWEAAAAP2"
    "1kYXQAAAAzKAGvGSF4QkD3Avr+jhz9iVTBLRoZRzZUIlnWOu9Wca5l4d3GgPOSB0DStTilYKCvvFKy"
)
"""24 x 16 pixels, the left half black and the right half red."""


@pytest.fixture
def without_package(monkeypatch):
    """As if no package for them were installed."""
    for module in ("lta.pictures.find", "lta.pictures.read", "lta.data.decoding"):
        monkeypatch.setattr(f"{module}.register_formats", lambda: False)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])


@pytest.fixture
def folder(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            (tmp_path / name / f"{number}.HEIC").write_bytes(HEIC + bytes([number, len(name), ord(name[0])]))
    return tmp_path


def is_half_red(pixels):
    """uint8 (height, width, 3)"""
    middle = pixels.shape[1] // 2
    return pixels[:, : middle - 1].max() < 40 and pixels[:, middle + 1 :, 0].min() > 150


def test_with_a_package_they_are_read_as_others_are(folder):
    assert formats.register_formats()
    assert ".heic" in list_extensions()
    assert len(find_images(folder / "cat")) == 4
    assert is_half_red(read_image(folder / "cat" / "0.HEIC").rgb.permute(1, 2, 0).numpy())
    assert is_half_red(np.asarray(open_rgb(folder / "cat" / "0.HEIC")))


def test_with_a_package_a_data_set_has_them(folder):
    data = ImageFolder(str(folder), image_size=8, batch_size=2, split="order", val_size=0, test_size=2)
    data.setup()
    assert len(data.train.labels) + len(data.test.labels) == 8
    assert all(is_half_red(np.asarray(picture)) for picture in data.train.images)


def test_without_one_it_is_said_what_helps(folder, without_package):
    assert "pip install pi-heif" in explain_unread(".heic")
    with pytest.raises(UnusablePicture, match=r"0\.HEIC: has the format HEIC, which lta can't read here: install"):
        read_image(folder / "cat" / "0.HEIC")


def test_sixteen_bits_are_read_in_the_range_that_is_asked_for(tmp_path):
    Image.fromarray(np.array([[100, 300, 500, 700]], np.uint16)).save(tmp_path / "scan.png")
    picture = read_image(tmp_path / "scan.png", grey_range=(300.0, 500.0))
    assert torch.equal(picture.rgb[0, 0], torch.tensor([0, 0, 255, 255], dtype=torch.uint8))
    assert "grey from 300 to 500, shown as 0 to 255" in picture.notes
