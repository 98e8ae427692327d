"""Made-up CIFAR: its official files, its copy as picture files, and what becomes of them."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lta.data.cifar import CIFAR, CIFAR10_CLASSES
from lta.data.errors import DataError

FINE = tuple(f"fine{number:02}" for number in range(100))
JPEG_COPY = "image-folder copy (re-encoded files: jpg), not comparable with published figures"


def md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes()).hexdigest()


def batch(seed: int, labels: list[int], key: str) -> dict:
    """One file of the official layout: rows of 3072 bytes, all of red, then all of green, then all of blue."""
    return {"data": np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), np.uint8), key: labels}


def pictures(seed: int, count: int) -> np.ndarray:
    """What `batch` holds, as (count, 32, 32, 3)."""
    return batch(seed, [0] * count, "labels")["data"].reshape(count, 3, 32, 32).transpose(0, 2, 3, 1)


def write(folder: Path, files: dict[str, dict]) -> dict[str, list[str]]:
    """Pickles `files` into `folder`; returns [name, MD5] by name."""
    folder.mkdir(parents=True)
    for name, contents in files.items():
        (folder / name).write_bytes(pickle.dumps(contents, protocol=2))
    return {name: [name, md5(folder / name)] for name in files}


def picture_copy(folder: Path, ending: str = "png", classes: tuple[str, ...] = CIFAR10_CLASSES, size: int = 32) -> None:
    """Three training images and one test image of each class; red is the class, green the number."""
    for part, count in (("train", 3), ("test", 1)):
        for label, name in enumerate(classes):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                picture = Image.new("RGB", (size, size), (label * 20, number, part == "test"))
                picture.save(folder / part / name / f"{number:04}.{ending}")


def module(root: Path | None, name: str = "cifar10", **arguments) -> CIFAR:
    data = CIFAR(name, None if root is None else str(root), **{"val_size": 10, "batch_size": 8, **arguments})
    data.prepare_data()
    data.setup()
    return data


def refused(root: Path, name: str = "cifar10", **arguments) -> str:
    with pytest.raises(DataError) as error:
        module(root, name, **arguments)
    assert "\n" not in str(error.value)
    return str(error.value)
