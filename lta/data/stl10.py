"""STL-10: 96x96 photographs of 10 classes, few of them labelled; the 100,000 unlabelled ones are never unpacked or read.

The official binary archive (Coates, Ng and Lee 2011, "An Analysis of Single-Layer Networks in Unsupervised Feature
Learning"), looked for below `root` and below `root/stl10`: the unpacked folder stl10_binary/, then stl10_binary.tar.gz. If
neither is there, the archive (2.6 GB, most of it unlabelled images) is downloaded.
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional
from torchvision import datasets

from lta import checks
from lta.data.archives import OfficialFile, Packed, check_members, data_root, open_unpacked, provide, suggest_fix
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.errors import DataError
from lta.data.fingerprint import make_official_ids
from lta.data.resident import share_images
from lta.data.splits import cut_val
from lta.runtime.cache import Cache, cache_folder

SIZE = 96
CHUNK = 500
"""Images scaled at once; as float32 they take 55 MB."""

CLASS_NAMES = "class_names.txt"


class STL10(ImageData):
    """`root`: None is $LTA_DATA_ROOT, or `data` below the current directory. `image_size` (pixels): images are scaled to it
    from 96, see `scale_images`. `cache`: see `lta.data.resident`.

    `val_size` images are cut from the 5,000 of train, each class in its share; `split_seed` decides which. With 0 there is
    no val. The ten folds of the authors' protocol are not used.
    """

    def __init__(
        self,
        root: str | None = None,
        image_size: int = SIZE,
        val_size: int = 500,
        split_seed: int = 0,
        download: bool = True,
        cache: Cache = None,
        batch_size: int = 128,
        eval_batch_size: int = 500,
        seed: int = 0,
    ):
        super().__init__(batch_size, eval_batch_size, seed)
        checks.require_whole_number("data.image_size", image_size, least=1)
        checks.require_whole_number("data.val_size", val_size)
        checks.require_whole_number("data.split_seed", split_seed)
        checks.require_flag("data.download", download)
        self.root, self.size, self.cache = data_root(root), image_size, cache
        self.val_size, self.split_seed, self.download = val_size, split_seed, download
        self.coding = "official"

    def prepare_data(self) -> None:
        """On one process a node: what is downloaded or unpacked here, the others find ready."""
        if not self.is_read:
            provide(_make_packed(), self.root, self.download)

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """Reads the official files and checks them; the unlabelled images are left out."""
        with open_unpacked(_make_packed(), self.root, self.download) as folder:
            check_members(folder, _list_checksums())
            class_names = _read_class_names(folder / CLASS_NAMES)
            cache = cache_folder(self.cache, "data.cache")
            train, test = (_read(folder, part, self.size, cache) for part in ("train", "test"))
        return class_names, *cut_val(train, self.val_size, self.split_seed), test


def _make_packed() -> Packed:
    official = datasets.STL10
    archive = OfficialFile(official.filename, official.url, official.tgz_md5)
    return Packed("stl10", archive, official.base_folder, frozenset(_list_checksums()))


def _list_checksums() -> dict[str, str | None]:
    """MD5 by name of the files that are read. torchvision knows none of the class names."""
    sums = dict([*datasets.STL10.train_list, *datasets.STL10.test_list])
    return {name: sums[name] for name in ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")} | {CLASS_NAMES: None}


def _read_class_names(file: Path) -> tuple[str, ...]:
    names = tuple(file.read_text(errors="replace").split())
    if len(names) != 10:
        raise DataError(f"{file} holds {len(names)} class names, not 10; {suggest_fix(file.parent)}")
    return names


def _read(folder: Path, part: str, size: int, cache: Path | None) -> Split:
    labels = np.fromfile(folder / f"{part}_y.bin", np.uint8).astype(np.int64) - 1  # counted from 1
    planes = np.fromfile(folder / f"{part}_X.bin", np.uint8).reshape(-1, 3, SIZE, SIZE)  # each plane column by column
    images = share_images(scale_images(planes.transpose(0, 3, 2, 1), size), "stl10", cache)
    return Split(images, labels, ids=make_official_ids(f"stl10/{part}", len(labels)))


def scale_images(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 (n, height, width, 3) to `size` x `size`, contiguous; antialiased bicubic, rounded. Bit for bit at its size."""
    result = np.empty((len(images), size, size, 3), np.uint8)
    if images.shape[1:3] == (size, size):
        result[:] = images
        return result
    for start in range(0, len(images), CHUNK):
        chunk = torch.from_numpy(np.ascontiguousarray(images[start : start + CHUNK])).permute(0, 3, 1, 2).float()
        chunk = functional.interpolate(chunk, (size, size), mode="bicubic", antialias=True, align_corners=False)
        result[start : start + CHUNK] = chunk.round().clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()
    return result
