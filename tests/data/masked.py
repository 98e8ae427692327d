"""Folders of pictures with masks, drawn for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw(root: Path, name: str, size: tuple[int, int], box: tuple[int, int, int, int], value: int = 255, suffix=".png"):
    """A dark picture of `size` (width, height) with a bright object, and its mask: `box` is left, top, right, bottom."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    left, top, right, bottom = box
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[top:bottom, left:right] = value
    picture = np.where((mask > 0)[..., None], np.uint8([250, 200, 150]), np.uint8([5, 15, 25]))
    Image.fromarray(picture).save(root / "images" / f"{name}{suffix}", **({"quality": 95} if suffix == ".jpg" else {}))
    Image.fromarray(mask).save(root / "masks" / f"{name}.png")


def labels(root: Path, text: str) -> None:
    (root / "LABELS.csv").write_text(text)
