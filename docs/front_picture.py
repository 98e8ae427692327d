"""The README's first picture, from two others of this folder: python docs/front_picture.py docs

Left, two rows of the quickstart's attention panel; right, the first two photographs of `taught.webp`.
"""

import sys
from pathlib import Path

from PIL import Image

PANEL, TAUGHT = (0, 40, 546, 390), (0, 0, 509, 385)


def main(folder: Path) -> None:
    left = Image.open(folder / "quickstart_panel.png").convert("RGB").crop(PANEL)
    right = Image.open(folder / "taught.webp").convert("RGB").crop(TAUGHT)
    sheet = Image.new("RGB", (left.width + 24 + right.width, max(left.height, right.height)), "white")
    sheet.paste(left, (0, (sheet.height - left.height) // 2))
    sheet.paste(right, (left.width + 24, 0))
    sheet.save(folder / "front.webp", quality=85, method=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
