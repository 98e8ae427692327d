"""What a frozen trunk makes of each picture, computed once and read ever after (`model.backbone.cache=true`).

The files are named by all that decides what is in them: the trunk's tensors, what preprocessing makes of pictures, and every
pixel of the split. So the jobs of a sweep, runs with other seeds and other ways to attend share them. Features are kept as
float16, positions first, so that a picture's are one piece.
"""

import hashlib
import logging
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from tqdm import tqdm

from lta.data.contents import digest_array, make_digest
from lta.protocols import Features, Images, Network, Splits, TrainedClassifier
from lta.runtime.cache import remove_leftovers
from lta.runtime.files import replace_file
from lta.runtime.locks import hold_lock
from lta.training.checkpoint_io import digest_tensors

log = logging.getLogger(__name__)

CHUNK = 64
"""Pictures that are computed together."""

DIGEST = 16
"""Bytes."""

FIRST = 8
"""Pictures by whose preprocessed pixels it is known how pictures are preprocessed."""

SPARE = 1.05
"""Of the space that the files take, so much must be free."""

QUERY = "query"

Arrays = Mapping[str, np.ndarray]
"""By level (pictures, height, width, channels) and, as QUERY, (pictures, channels); float16, memory-mapped from files."""


class Part(NamedTuple):
    """Features of a split's pictures, and of their mirror images where training shows them."""

    plain: Arrays
    mirrored: Arrays | None = None


class CachedFeatures:
    """By the name of a split: "train", "val", "test"."""

    def __init__(self, parts: Mapping[str, Part]):
        self.parts = parts

    def take(
        self, split: str, numbers: Int[Tensor, " batch"], mirrored: Bool[Tensor, " batch"] | None, device: torch.device
    ) -> Features:
        """Of the pictures `numbers` of a split, in float32; of their mirror images where `mirrored`. Both lie on the CPU."""
        part, index = self.parts[split], numbers.cpu().numpy()
        chosen = {name: array[index] for name, array in part.plain.items()}
        if mirrored is not None and part.mirrored is not None:
            rows = np.flatnonzero(mirrored.cpu().numpy())
            for name, array in chosen.items():
                array[rows] = part.mirrored[name][index[rows]]
        tensors = {name: _send(array, device).float() for name, array in chosen.items()}
        query = tensors.pop(QUERY, None)
        return Features({level: array.permute(0, 3, 1, 2) for level, array in tensors.items()}, query)


def compute_features(
    classifier: TrainedClassifier, data: Splits, folder: Path | None, with_mirrored: bool
) -> CachedFeatures:
    """Of all pictures of `data`, from `folder` where they are there, else computed and kept (None: in memory). Several
    processes that want the same wait for the first. Raises ValueError where the disk has no room."""
    trunk = cast("Any", classifier.network).trunk
    trunk.eval()
    of_network = digest_tensors(_list_tensors(trunk))
    parts = {}
    for name in ("train", "val", "test"):
        split = getattr(data, name)
        if split is not None and len(split.labels):
            turns = (False, True) if with_mirrored and name == "train" else (False,)
            made = [_find_or_compute(classifier, split.images, folder, of_network, turn, name) for turn in turns]
            parts[name] = Part(*made)
    return CachedFeatures(parts)


def _send(array: np.ndarray, device: torch.device) -> Tensor:
    """From pinned memory to a GPU, whose queue is not waited for."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def computes_once(network: Network) -> bool:
    """Whether the network was told to."""
    return getattr(getattr(network, "trunk", None), "computes_once", False)


def check_augment(augment: nn.Module) -> bool:
    """Whether pictures are mirrored in training. Raises ValueError where more is done to them, anew in each epoch."""
    mirrors = bool(getattr(augment, "only_mirrors", False))
    if not mirrors and not isinstance(augment, nn.Identity):
        raise ValueError(
            "model.backbone.cache=true computes the features of each picture once, and augment changes pictures anew in "
            "each epoch: give augment=flip or augment=none"
        )
    return mirrors


def choose_mirrored(augment: nn.Module, count: int, device: torch.device) -> Bool[Tensor, " batch"] | None:
    """Of the next `count` training pictures; None where none ever is."""
    choose = getattr(augment, "choose_mirrored", None)
    return None if choose is None else choose(count, device)


def give_features(network: Network, features: Features) -> None:
    """To the trunk, for the next pictures that the network is shown."""
    cast("Any", network).trunk.give_features(features)


def _list_tensors(trunk: Any) -> dict[str, Tensor]:
    """All of them, also those that a checkpoint leaves out."""
    parts = {kind: getattr(trunk, kind).state_dict() for kind in ("model", "norms")}
    return {f"{kind}.{name}": tensor for kind, state in parts.items() for name, tensor in state.items()}


def _find_or_compute(
    classifier: TrainedClassifier, images: Images, folder: Path | None, of_network: str, mirrored: bool, name: str
) -> Arrays:
    levels = (*classifier.network.levels, QUERY)
    what = f"features of {name}{', mirrored' if mirrored else ''}"
    if folder is None:
        return _compute_in_memory(classifier, images, levels, mirrored, what)
    seen = digest_array(_preprocess(classifier, images[:FIRST], mirrored))
    key = make_digest(b"".join([of_network.encode(), seen, _digest_images(images)])).hex()[:20]
    place = folder / "features" / key
    place.mkdir(parents=True, exist_ok=True)
    with hold_lock(place / ".lock", what):
        remove_leftovers(place)
        found = {level: _read_file(_name_file(place, level), len(images)) for level in levels}
        if missing := [level for level, array in found.items() if array is None]:
            _compute_files(classifier, images, missing, mirrored, what, place)
        return {
            level: np.load(_name_file(place, level), mmap_mode="r") if array is None else array
            for level, array in found.items()
        }


def _name_file(place: Path, level: str) -> Path:
    return place / f"{level}.npy"


def _read_file(path: Path, count: int) -> np.ndarray | None:
    """What `_compute_files` wrote of `count` pictures; None where there is nothing, or something else, which is said."""
    if not path.is_file():
        return None
    try:
        array = np.load(path, mmap_mode="r")
        with path.open("rb") as file:
            file.seek(array.offset + array.nbytes)
            digest = np.load(file).tobytes()
        found = hashlib.blake2b(digest_size=DIGEST)
        for start in range(0, count, CHUNK):
            found.update(np.ascontiguousarray(array[start : start + CHUNK]).data)
        if len(array) == count and digest == found.digest():
            return array
    except Exception as error:  # numpy parses the header as Python
        log.warning("%s can't be used and is made again (%s)", path, error)
        return None
    log.warning("%s is damaged, as its digest shows, and is made again", path)
    return None


def _digest_images(images: Images) -> bytes:
    digests = [digest_array(np.ascontiguousarray(images[start : start + CHUNK])) for start in range(0, len(images), CHUNK)]
    return make_digest(b"".join(digests))


@torch.no_grad()
def _preprocess(classifier: TrainedClassifier, images: np.ndarray, mirrored: bool) -> np.ndarray:
    device = next(classifier.parameters()).device
    seen = classifier.preprocess(torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).to(device)).float()
    return np.ascontiguousarray((seen.flip(3) if mirrored else seen).cpu().numpy())


def _compute_in_memory(
    classifier: TrainedClassifier, images: Images, levels: Sequence[str], mirrored: bool, what: str
) -> Arrays:
    parts = list(_run_trunk(classifier, images, mirrored, what))
    return {level: np.concatenate([part[level] for part in parts]) for level in levels}


def _compute_files(
    classifier: TrainedClassifier, images: Images, levels: Sequence[str], mirrored: bool, what: str, place: Path
) -> None:
    """Written piece by piece, as together they may be larger than the memory, and a digest behind each. What is not complete
    is no file of that name."""
    with ExitStack() as stack:
        digests = {level: hashlib.blake2b(digest_size=DIGEST) for level in levels}
        files = {level: stack.enter_context(replace_file(_name_file(place, level))) for level in levels}
        for number, part in enumerate(_run_trunk(classifier, images, mirrored, what)):
            if number == 0:
                shapes = {level: (len(images), *part[level].shape[1:]) for level in levels}
                megabytes = _check_room(place, shapes, what)
                for level, shape in shapes.items():
                    header = {"descr": "<f2", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(files[level], header)
            for level, file in files.items():
                rows = np.ascontiguousarray(part[level], "<f2").data
                file.write(rows)
                digests[level].update(rows)
        for level, file in files.items():
            np.save(file, np.frombuffer(digests[level].digest(), np.uint8))
    log.info("%s: %d pictures, %d MB, kept in %s", what, len(images), megabytes, place)


@torch.inference_mode()
def _run_trunk(classifier: TrainedClassifier, images: Images, mirrored: bool, what: str) -> Iterator[dict[str, np.ndarray]]:
    """Of CHUNK pictures at a time, by level and QUERY."""
    trunk = cast("Any", classifier.network).trunk
    device = next(classifier.parameters()).device
    with tqdm(total=len(images), unit="img", desc=what, disable=not sys.stderr.isatty()) as bar:
        for start in range(0, len(images), CHUNK):
            seen = torch.from_numpy(_preprocess(classifier, images[start : start + CHUNK], mirrored)).to(device)
            features = trunk.features(seen)
            found = {level: x.permute(0, 2, 3, 1) for level, x in features.levels.items()} | {QUERY: features.query}
            yield {level: x.half().cpu().numpy() for level, x in found.items()}
            bar.update(len(seen))


def _check_room(place: Path, shapes: Mapping[str, tuple[int, ...]], what: str) -> float:
    """Megabytes that files of these shapes take. Raises ValueError where the disk has not so many."""
    needed, free = sum(2 * prod(shape) for shape in shapes.values()), shutil.disk_usage(place).free
    if SPARE * needed > free:
        raise ValueError(
            f"{what} take {needed / 1e6:,.0f} MB, and the disk of {place} has {free / 1e6:,.0f} MB free: give "
            "data.cache=FOLDER on another one, a smaller data.image_size, or model.backbone.cache=false"
        )
    return needed / 1e6
