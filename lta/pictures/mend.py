"""Files that Pillow refuses although their pixels are there: JPEGs without their last bytes, PNGs with much text."""

import zlib
from io import BytesIO

import numpy as np
from PIL import Image

PNG, JPEG, JPEG_END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd9"

TEXTS = (b"tEXt", b"zTXt", b"iTXt")
LARGEST_PROFILE = 1_000_000
"""Bytes of a colour profile, unpacked: Pillow takes no larger one."""

LAST_ROWS = 16
"""Rows of pixels that a JPEG decodes together, and may lack."""

LARGEST = 50_000_000
"""Pixels of a JPEG that is decoded to see what it lacks."""


def mend_file(content: bytes) -> tuple[bytes, tuple[str, ...]]:
    """`content` as Pillow takes it, and what was done, in a few words each. What is not mended here stays as it is."""
    if content.startswith(PNG):
        return _drop_texts(content)
    if content.startswith(JPEG) and not content.rstrip(b"\0").endswith(JPEG_END) and _lacks_little(content):
        return content + JPEG_END, ("its last bytes are missing",)
    return content, ()


def _drop_texts(content: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Without texts, which nothing here reads and Pillow limits, and without a colour profile that is too large for it."""
    kept, notes, place = [PNG], (), len(PNG)
    while place + 8 <= len(content):
        length, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        chunk = content[place : place + 12 + length]
        if kind == b"iCCP" and _is_too_large(chunk[8:-4]):
            notes = ("its colour profile is too large and is left out",)
        elif kind not in TEXTS:
            kept.append(chunk)
        place += 12 + length
    return b"".join([*kept, content[place:]]), notes


def _is_too_large(profile: bytes) -> bool:
    _, _, packed = profile.partition(b"\0")
    unpack = zlib.decompressobj()
    try:
        unpack.decompress(packed[1:], LARGEST_PROFILE)
    except zlib.error:
        return False
    return bool(unpack.unconsumed_tail)


def _lacks_little(content: bytes) -> bool:
    """Whether it can't be decoded, but all rows except the last ones can. Those that can't stay black."""
    try:
        image = Image.open(BytesIO(content), formats=("JPEG",))
        if image.width * image.height > LARGEST:
            return False
    except Exception:  # Pillow's readers raise anything; whoever reads the file says what is wrong
        return False
    try:
        image.load()
        return False
    except (OSError, SyntaxError, ValueError):
        image.tile = []  # what was decoded is the picture
    rows = np.asarray(image).reshape(image.height, -1).any(axis=1)
    return bool(rows.any()) and int(np.flatnonzero(rows)[-1]) >= image.height - LAST_ROWS - 1
