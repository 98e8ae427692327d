"""Training images a second: whole batches gathered and augmented at once, against torchvision's picture by picture.

    python benchmarks/input_pipeline.py [--images 10000] [--batch 128] [--repetitions 7]

Both give shuffled, shifted (up to 4 pixels, reflected), mirrored, standardised float32 batches of 32x32 pictures that lie in
memory: torchvision's CIFAR10 with RandomCrop, RandomHorizontalFlip, ToTensor and Normalize in a DataLoader with 0 and with 2
workers (started before the time runs), and lta's loader, Standardize and FlipCropCutout. One thread a process. The pictures
are made up; that the two augmentations do the same is a test (tests/transforms/test_augment.py).
"""

import numpy as np
import torch
from measuring import Results, alternate, arguments, run
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from lta.data.batches import EpochBatches, Split, batch_loader
from lta.transforms.augment import FlipCropCutout
from lta.transforms.normalize import Standardize

BARS = {0: 14, 2: 10}
"""By torchvision's workers."""


class InMemory(datasets.CIFAR10):
    """torchvision's data set, its pictures given instead of read."""

    def __init__(self, split: Split, transform):
        self.data, self.targets = split.images, split.labels.tolist()
        self.transform, self.target_transform = transform, None


def torchvision_loader(split: Split, batch: int, mean, std, workers: int) -> DataLoader:
    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4, padding_mode="reflect"),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(mean, std),
        ]
    )
    return DataLoader(
        InMemory(split, transform), batch, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )


def main():
    parser = arguments(__doc__, repetitions=7)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--batch", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    results = Results(options, f"{options.images} images of 32x32, batch {options.batch}")
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (options.images, 32, 32, 3), np.uint8), rng.integers(0, 10, options.images))
    standardize, augment = Standardize(), FlipCropCutout()
    standardize.fit(split.images)
    mean, std = (standardize.mean / 255).tolist(), (standardize.std / 255).tolist()
    ours = batch_loader(split, EpochBatches(options.images, options.batch, shuffle=True))
    theirs = {workers: torchvision_loader(split, options.batch, mean, std, workers) for workers in BARS}

    def lta():
        for images, *_ in ours:
            augment(standardize(images))

    def torchvision(loader):
        for _ in loader:
            pass

    ways = {"lta": lta} | {workers: lambda loader=loader: torchvision(loader) for workers, loader in theirs.items()}
    taken = alternate(ways, options.repetitions)
    seen = len(ours) * options.batch
    for workers, bar in BARS.items():
        results.ratio(f"torchvision, {workers} workers / lta", taken[workers], taken["lta"], at_least=bar)
    for name, seconds in taken.items():
        case = "lta" if name == "lta" else f"torchvision, {name} workers"
        results.figure(case, [seen / s for s in seconds], "images/s")
    results.save()


if __name__ == "__main__":
    run(main)
