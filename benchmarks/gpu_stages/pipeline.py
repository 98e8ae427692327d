"""Training images a second that reach the network: sent in each step, or lying on the device from the start."""

import statistics
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from measuring import alternate
from steps import waiting

from gpu_stages.settings import Settings
from lta.data.batches import DeviceDataset, EpochBatches, Split, batch_loader
from lta.transforms.augment import FlipCropCutout
from lta.transforms.normalize import Standardize


def time_pipeline(settings: Settings, seconds: float) -> dict[str, Any]:
    """Made-up pictures of CIFAR's size, shuffled, sent as bytes, standardised and augmented on the device, as in a run."""
    sizes, device = settings.sizes, torch.device(settings.device)
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (sizes.images, 32, 32, 3), np.uint8), rng.integers(0, 10, sizes.images))
    standardize = Standardize()
    standardize.fit(split.images)
    standardize, augment = standardize.to(device), FlipCropCutout()
    order = EpochBatches(sizes.images, sizes.batch, shuffle=True)
    loaders = {
        "sent": batch_loader(split, order, pin_memory=device.type == "cuda"),
        "on the device": batch_loader(DeviceDataset(split, device), order),
    }

    def epoch_of(loader: Iterable) -> Callable[[], None]:
        def epoch() -> None:
            for images, labels, _ in loader:
                augment(standardize(images.to(device, non_blocking=True)))
                labels.to(device, non_blocking=True)

        return epoch

    ways = {name: epoch_of(loader) for name, loader in loaders.items()}
    taken = alternate(ways, sizes.rounds, wait=waiting(settings.device))
    seen = len(order) * sizes.batch
    rates = {name: statistics.median(seen / one for one in taken[name]) for name in ways}
    return {"batch": sizes.batch, "images_per_second": rates}
