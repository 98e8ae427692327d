"""What of a camera's notes goes into a result, read back from its file."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from lta.apply.files import choose_metadata
from lta.effects import autoblur, blurout
from lta.pictures.metadata import DETAILS, LARGEST, ORIENTATION, PLACE, leave_out_place
from lta.pictures.read import read_image
from lta.pictures.write import write_image

MAKER, WIDTH, TAKEN, ARTIST, SMALL = 0x927C, 0xA002, 0x9003, 0x013B, 0x0201
THUMBNAIL = b"\xff\xd8SMALL-PICTURE\xff\xd9"


def photograph(form="JPEG", artist="Ann"):
    exif = Image.Exif()
    exif[ORIENTATION], exif[ARTIST] = 6, artist
    exif.get_ifd(DETAILS).update({TAKEN: "2026:11:30 12:00:00", WIDTH: 40, MAKER: b"PREVIEW-OF-THE-MAKER"})
    exif.get_ifd(PLACE).update({1: "N", 2: (52.0, 31.0, 12.0)})
    stream = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(stream, form, exif=exif)
    content = stream.getvalue()
    if form == "JPEG":  # a second folder of tags, with the small picture: Pillow writes none
        block = bytearray(exif.tobytes())
        tiff = block[6:]
        order = "little" if tiff[:2] == b"II" else "big"
        first = int.from_bytes(tiff[4:8], order)
        place = first + 2 + 12 * int.from_bytes(tiff[first : first + 2], order)
        second = len(tiff)
        tags = ((SMALL, second + 30), (SMALL + 1, len(THUMBNAIL)))
        folder = (2).to_bytes(2, order) + b"".join(
            tag.to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order) + value.to_bytes(4, order)
            for tag, value in tags
        )
        tiff[place : place + 4] = second.to_bytes(4, order)
        stream = BytesIO()
        Image.fromarray(pixels).save(stream, form, exif=bytes(block[:6] + tiff + folder + bytes(4) + THUMBNAIL))
        content = stream.getvalue()
    return content


def written(tmp_path, content, effect, metadata="keep", ending=".jpg"):
    picture = read_image(content)
    file = tmp_path / f"result{ending}"
    write_image(file, picture.rgb, choose_metadata(picture, effect, metadata))
    return file.read_bytes(), Image.open(file).getexif()


@pytest.mark.parametrize(("form", "ending"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp")])
def test_exif_is_kept_without_orientation_thumbnail_and_makers_notes(tmp_path, form, ending):
    given = photograph(form)
    assert (THUMBNAIL in given) == (form == "JPEG")
    content, exif = written(tmp_path, given, autoblur, ending=ending)
    assert exif[ARTIST] == "Ann"
    assert exif.get_ifd(DETAILS) == {TAKEN: "2026:11:30 12:00:00"}
    assert tuple(map(float, exif.get_ifd(PLACE)[2])) == (52, 31, 12)
    assert ORIENTATION not in exif, "it stands upright"
    assert not any(part in content for part in (THUMBNAIL, b"PREVIEW-OF-THE-MAKER"))
    assert read_image(content).rgb.shape == (3, 40, 30)


def test_who_is_blurred_out_is_not_given_away_by_the_place(tmp_path):
    content, exif = written(tmp_path, photograph(), blurout)
    assert exif[ARTIST] == "Ann"
    assert PLACE not in exif
    assert exif.get_ifd(PLACE) == {}
    assert THUMBNAIL not in content
    assert leave_out_place(None) is None


def test_all_of_it_is_dropped_where_that_is_asked(tmp_path):
    for effect in (autoblur, blurout):
        content, exif = written(tmp_path, photograph(), effect, "drop")
        assert len(exif) == 0
        assert b"Exif" not in content


@pytest.mark.parametrize("exif", [b"Exif\x00\x00MM\x00*spoilt", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"no exif at all"])
def test_spoilt_notes_spoil_nothing(tmp_path, exif):
    stream = BytesIO()
    Image.new("RGB", (9, 8)).save(stream, "JPEG", exif=exif)
    content, _ = written(tmp_path, stream.getvalue(), blurout)
    assert read_image(content).rgb.shape == (3, 8, 9)


def test_what_no_jpeg_could_hold_is_left_out(tmp_path):
    picture = read_image(photograph("PNG", artist="x" * (LARGEST + 9)))
    assert picture.exif is None
    write_image(tmp_path / "a.jpg", torch.zeros(3, 8, 8, dtype=torch.uint8), picture)
