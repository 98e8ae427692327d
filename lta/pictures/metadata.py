"""What a camera wrote beside the pixels (EXIF): what of it goes with a picture that was made from another."""

from PIL import Image

METADATA = ("keep", "drop")

ORIENTATION, PLACE = 0x0112, 0x8825  # tags: how it is turned, and the folder of tags of where it was taken
DETAILS = 0x8769  # the folder of tags of how it was taken
UNTRUE = (0xA002, 0xA003, 0x927C)
"""Of `DETAILS`: the pixels' width and height, which may be others now, and the maker's own notes, which may hold a small
picture, and have addresses that are wrong once anything is moved."""

OF_FORMATS = frozenset({"JPEG", "MPO", "PNG", "WEBP", "HEIF"})
"""Of which it is read. In a TIFF it stands among the tags that say how its pixels are stored."""

LARGEST = 65_000
"""Bytes: a JPEG holds no more."""


def read_exif(image: Image.Image) -> bytes | None:
    """Without orientation (what is written stands upright) and without the small picture: that of the one before it is
    another. None where there is none, none that can be read, or too much."""
    if image.format not in OF_FORMATS or not image.info.get("exif"):
        return None
    try:
        exif = Image.Exif()  # not the picture's own, by which it is turned upright later
        exif.load(image.info["exif"])
        exif.pop(ORIENTATION, None)
        details = exif.get_ifd(DETAILS)
        for tag in UNTRUE:
            details.pop(tag, None)
        return _write_exif(exif)
    except Exception:  # a spoilt block does not spoil the pixels, and Pillow's readers raise anything
        return None


def leave_out_place(exif: bytes | None) -> bytes | None:
    """Without where it was taken."""
    if exif is None:
        return None
    kept = Image.Exif()
    kept.load(exif)
    kept.pop(PLACE, None)
    return _write_exif(kept)


def _write_exif(exif: Image.Exif) -> bytes | None:
    written = exif.tobytes()  # never the second folder, of the small picture
    return written if len(exif) and len(written) <= LARGEST else None
