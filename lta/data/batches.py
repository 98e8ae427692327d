"""Whole batches out of images that lie in memory: one gather a batch, no per-image work."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, SequentialSampler

from lta.data.known_masks import KnownMasks
from lta.data.rows import Rows
from lta.data.scaled import Scaled


class Split(NamedTuple):
    """One part of a data set, in memory or memory-mapped; `Rows` of an array where it is cut out of a larger part, `Scaled`
    where its pictures are shown at another size than theirs.

    `images` is uint8 (n, height, width, 3), so that a batch is a channels-last tensor without a copy; `labels` int64
    (n,), or where pictures have several labels uint8 (n, classes), 0 and 1. Where the objects are known: `roles` uint8 (n,
    height, width) with 0 background, 1 side object, 2 main object, and `sources` int64 (n,), the drawing that an image's
    main object comes from (images that share it are not independent). Where the side object is a whole one of known class:
    `side_labels` int64 (n,), -1 where there is none.
    Where boxes of the objects are known: `boxes` float32 (n, most, 4), left, top, right and bottom in pixels of the image (0
    is its edge), NaN where an image has fewer than the most.
    Where some of the images have a mask of their object: `masks`.
    Where it is known which pictures these are: `ids` int64 (n, 2), a number for the name and one for the content.
    """

    images: np.ndarray | Rows | Scaled
    labels: np.ndarray
    roles: np.ndarray | None = None
    sources: np.ndarray | None = None
    side_labels: np.ndarray | None = None
    ids: np.ndarray | None = None
    boxes: np.ndarray | None = None
    masks: KnownMasks | None = None

    def take(self, index: np.ndarray) -> "Split":
        """The images at the positions `index`, copied."""
        return self._replace(images=self.images[index], **self._select(index))

    def view(self, index: np.ndarray) -> "Split":
        """The same without a copy of the images, for large parts."""
        return self._replace(images=Rows(self.images, index), **self._select(index))

    def scale(self, size: tuple[int, int]) -> "Split":
        """The same with pictures of `size` (height, width), where it knows nothing of places in them."""
        assert self.roles is None
        assert self.boxes is None
        assert self.masks is None
        return self if self.images.shape[1:3] == size else self._replace(images=Scaled(self.images, size))

    def _select(self, index: np.ndarray) -> dict[str, Any]:
        """What is known of those images, but the images."""
        known = {name: part for name, part in self._asdict().items() if part is not None and name != "images"}
        return {name: part.select(index) if isinstance(part, KnownMasks) else part[index] for name, part in known.items()}


class EpochBatches(Sampler[np.ndarray]):
    """Index arrays, one a batch. `batch_size` counts the images of all processes together; each gets its share.

    Shuffling depends on seed and epoch alone, so that a resumed run sees the batches it would have seen. Training
    (`shuffle`) drops the last partial batch; otherwise every image comes exactly once over all processes.

    With `balanced`, the labels of all images, a shuffled epoch has as many images, evenly many of each class: of a large
    class some are left out, those of a small one come several times, and none comes a second time before all others of its
    class have come.
    """

    def __init__(
        self,
        size: int,
        batch_size: int,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        balanced: np.ndarray | None = None,
    ):
        if batch_size < 1 or batch_size % world_size:
            raise ValueError(f"data.batch_size={batch_size} must be a positive multiple of the {world_size} processes")
        if shuffle and size < batch_size:
            raise ValueError(f"data.batch_size={batch_size} is more than the {size} training images; make it smaller")
        self.size, self.batch_size, self.shuffle, self.seed = size, batch_size, shuffle, seed
        self.rank, self.world_size = rank, world_size
        self.places = None if balanced is None else [np.flatnonzero(balanced == label) for label in np.unique(balanced)]
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the order of the 0-based `epoch`."""
        self.epoch = epoch

    def __len__(self) -> int:
        return (
            self.size // self.batch_size
            if self.shuffle
            else -(-self._count_own_images() // (self.batch_size // self.world_size))
        )

    def _count_own_images(self) -> int:
        return len(range(self.rank, self.size, self.world_size))

    def __iter__(self) -> Iterator[np.ndarray]:
        if self.shuffle:
            order = self._shuffle(np.random.default_rng((self.seed, self.epoch)))
            for start in range(0, len(self) * self.batch_size, self.batch_size):
                yield order[start + self.rank : start + self.batch_size : self.world_size]
        else:
            mine = np.arange(self.rank, self.size, self.world_size)
            per_process = self.batch_size // self.world_size
            yield from (mine[start : start + per_process] for start in range(0, len(mine), per_process))

    def _shuffle(self, rng: np.random.Generator) -> np.ndarray:
        if self.places is None:
            return rng.permutation(self.size)
        shares = np.full(len(self.places), self.size // len(self.places))
        shares[rng.permutation(len(shares))[: self.size % len(shares)]] += 1  # what is over goes to other classes each time
        drawn = [
            np.concatenate([rng.permutation(places) for _ in range(-(-share // len(places)))] or [places[:0]])[:share]
            for places, share in zip(self.places, shares, strict=True)
        ]
        return rng.permutation(np.concatenate(drawn))


class SameBatches(SequentialSampler):
    """The batches of `batches`' first epoch in each epoch: with `overfit_batches`, Lightning would put single pictures in
    the place of any other sampler."""

    def __init__(self, batches: EpochBatches):
        super().__init__(batches)
        self.batches, self.batch_size = list(batches), batches.batch_size

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.batches)


class GatherDataset(Dataset):
    """Indexing with an array of positions returns the batch: images uint8 (batch, 3, height, width), labels (batch,), and
    the positions."""

    def __init__(self, split: Split):
        self.split = split

    def __len__(self) -> int:
        return len(self.split.labels)

    def __getitem__(self, index: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        images = torch.from_numpy(self.split.images[index]).permute(0, 3, 1, 2)
        return images, torch.from_numpy(self.split.labels[index]), torch.from_numpy(index)


class PlacesDataset(GatherDataset):
    """The same batches where nobody looks at the pictures: each is one black pixel, and none is read."""

    def __getitem__(self, index: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        images = torch.zeros(len(index), 3, 1, 1, dtype=torch.uint8)
        return images, torch.from_numpy(self.split.labels[index]), torch.from_numpy(index)


class DeviceDataset(GatherDataset):
    """The same batches, of images and labels that lie on `device` and are gathered there. The positions stay on the CPU."""

    def __init__(self, split: Split, device: torch.device):
        super().__init__(split)
        self.images = torch.from_numpy(np.array(split.images)).to(device)  # a copy: memory-mapped ones are read-only
        self.labels = torch.from_numpy(split.labels).to(device)

    def __getitem__(self, index: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        positions = torch.from_numpy(index)
        places = positions.to(self.images.device, non_blocking=True)
        return self.images.index_select(0, places).permute(0, 3, 1, 2), self.labels.index_select(0, places), positions


def batch_loader(split: Split | GatherDataset, batches: EpochBatches | SameBatches, pin_memory: bool = False) -> DataLoader:
    """A loader of the batches that `batches` draws from `split`, gathered in this process, from a data set that was made of
    it where that is given. `pin_memory` is nothing for a DeviceDataset."""
    dataset = split if isinstance(split, GatherDataset) else GatherDataset(split)
    # A generator of its own: each new iterator would otherwise draw from torch's global one, which dropout reads.
    own = torch.Generator()
    return DataLoader(
        dataset, sampler=batches, batch_size=None, collate_fn=_keep_batch, pin_memory=pin_memory, generator=own
    )


def _keep_batch(batch: Any) -> Any:
    """A batch comes as one piece: there is nothing to collate."""
    return batch
