"""What a frozen trunk makes of each picture, computed once and read ever after (`model.backbone.cache=true`).

The files are named by all that decides what is in them: the trunk's tensors, what preprocessing makes of pictures, and every
pixel of the split. So the jobs of a sweep, runs with other seeds and other ways to attend share them. Features are kept as
float16, positions first, so that a picture's are one piece.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from tqdm import tqdm

from lta.data.contents import digest_array, make_digest
from lta.data.scaled import find_stored
from lta.models.measured import Batches, Measured, fit_measured
from lta.protocols import Features, Images, Network, Splits, TrainedClassifier
from lta.runtime.cache import remove_leftovers
from lta.runtime.files import replace_file
from lta.runtime.locks import hold_lock
from lta.training.checkpoint_io import digest_tensors
from lta.training.feature_files import CHUNK, name_file, read_file, write_files

log = logging.getLogger(__name__)

FIRST = 8
"""Pictures by whose preprocessed pixels it is known how pictures are preprocessed."""

MEASURED = 256
"""Training pictures at most by which it is known what was measured."""

MANY = 4096
"""Pictures that are digested together."""

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
        rows = _find_rows(index)
        chosen = {name: array[rows] for name, array in part.plain.items()}
        if mirrored is not None and part.mirrored is not None:
            turned = np.flatnonzero(mirrored.cpu().numpy())
            chosen = {name: array if isinstance(rows, np.ndarray) else array.copy() for name, array in chosen.items()}
            for name, array in chosen.items():
                array[turned] = part.mirrored[name][index[turned]]
        tensors = {name: _send(array, device).float() for name, array in chosen.items()}
        query = tensors.pop(QUERY, None)
        return Features({level: array.permute(0, 3, 1, 2) for level, array in tensors.items()}, query)


def fit_once(folder: Path | None) -> Callable[[nn.Module, Batches], None]:
    """As `fit_measured`; what was measured of the same trunk by the same pictures is read from `folder`."""

    def fit(network: nn.Module, batches: Batches) -> None:
        trunk = getattr(network, "trunk", None)
        if folder is None or not isinstance(trunk, Measured):
            return fit_measured(network, batches)
        samples = list(batches(MEASURED))
        seen = b"".join(digest_array(np.ascontiguousarray(images.cpu().numpy())) for images in samples)
        key = make_digest(digest_tensors(cast("Any", trunk).model.state_dict()).encode() + seen).hex()[:20]
        path = folder / "features" / f"measured-{key}.pt"
        norms = cast("Any", trunk).norms
        try:
            norms.load_state_dict(torch.load(path, weights_only=True))
        except FileNotFoundError:
            pass
        except Exception as error:  # a pickle that is cut off
            log.warning("%s can't be used and is made again (%s)", path, str(error).partition("\n")[0])
        else:
            return None
        fit_measured(network, batches)
        with replace_file(path) as file:
            torch.save(norms.state_dict(), file)
        return None

    return fit


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


def _find_rows(index: np.ndarray) -> slice | np.ndarray:
    """The same rows, as a slice where they follow one another: what is read is then not copied."""
    first, count = int(index[0]) if len(index) else 0, len(index)
    return slice(first, first + count) if np.array_equal(index, np.arange(first, first + count)) else index


def _send(array: np.ndarray, device: torch.device) -> Tensor:
    """From pinned memory to a GPU, whose queue is not waited for."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def list_known(features: CachedFeatures) -> frozenset[str]:
    """Splits whose pictures nobody needs in training, by the names that the data module has for them."""
    names = {"test": ("test", "test_each_epoch")}
    return frozenset(name for split in features.parts for name in names.get(split, (split,)))


def computes_once(network: Network) -> bool:
    """Whether the network was told to."""
    return getattr(getattr(network, "trunk", None), "computes_once", False)


def check_augment(augment: nn.Module) -> bool:
    """Whether pictures are mirrored in training. Raises ValueError where more is done to them, anew in each epoch."""
    mirrors = bool(getattr(augment, "only_mirrors", False))
    if not mirrors and not isinstance(augment, nn.Identity):
        raise ValueError(
            "model.backbone.cache=true computes the features of each picture once, but augment changes pictures in every "
            "epoch: give augment=flip or augment=none"
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
        found = {level: read_file(name_file(place, level), len(images)) for level in levels}
        if missing := [level for level, array in found.items() if array is None]:
            write_files(place, _run_trunk(classifier, images, mirrored, what), missing, len(images), what)
        return {
            level: np.load(name_file(place, level), mmap_mode="c") if array is None else array
            for level, array in found.items()
        }


def _digest_images(images: Images) -> bytes:
    """Of all pixels as they are kept, and of the size at which they are shown: how they are scaled shows in what
    preprocessing makes of some of them."""
    stored, size = find_stored(images)
    digests = [digest_array(np.ascontiguousarray(stored[start : start + MANY])) for start in range(0, len(stored), MANY)]
    return make_digest(repr(size).encode() + b"".join(digests))


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
