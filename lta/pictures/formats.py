"""Which formats Pillow can open here: its own, and HEIC where a package for it is installed (the extra `heic`)."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec

from PIL import Image

HEIF_PACKAGES = ("pi_heif", "pillow_heif")
"""The first reads only, under a more permissive licence; the second writes too."""

CONVERT = "convert them to JPEG or PNG"
HELP = f"install lta's extra heic (pip install pi-heif), or {CONVERT} (ImageMagick: mogrify -format jpg *.heic)"


def is_heif(start: bytes) -> bool:
    """By a file's first 12 bytes."""
    return start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")


@cache
def register_formats() -> bool:
    """Makes Pillow know all formats that can be had; returns whether HEIC is one of them."""
    Image.init()
    found = next((name for name in HEIF_PACKAGES if find_spec(name)), None)
    if found is None:
        return False
    import_module(found).register_heif_opener(thumbnails=False)
    return True
