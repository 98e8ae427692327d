"""The device that tests marked `gpu` are about, and how a command and a training step are put on it.

`LTA_GPU_TESTS=cpu pytest -m gpu` is a rehearsal: where there is no GPU, those run on the CPU that say something there.
"""

import os

import numpy as np
import pytest
import torch
from commands import TINY
from networks import composed

from lta.instantiate import build
from lta.training.classifier import Classifier

VARIABLE = "LTA_GPU_TESTS"
REHEARSED = os.environ.get(VARIABLE) == "cpu" and not torch.cuda.is_available()
DEVICE = torch.device("cpu" if REHEARSED or not torch.cuda.is_available() else "cuda")

needs_cuda = pytest.mark.skipif(DEVICE.type != "cuda", reason="says nothing on a CPU")

TRAINER = ("trainer=gpu",) if DEVICE.type == "cuda" else ("trainer=cpu",)
SMALL = (*(argument for argument in TINY if argument != "trainer=cpu"), "logger=csv", *TRAINER)
"""A run of seconds, on the device."""


def compose_step(*settings: str) -> tuple[str, ...]:
    """A training of 10 classes of 32x32 without chance: no dropout, no augmentation."""
    return ("data=cifar10", "augment=none", "logger=none", *settings)


def build_classifier(*settings: str) -> Classifier:
    """With the same weights for the same settings, on the CPU, and its preprocessing measured on `make_batch`."""
    cfg = composed(*settings)
    torch.manual_seed(0)
    classifier = Classifier(
        build(cfg.model)(num_classes=10),
        build(cfg.preprocess),
        build(cfg.augment),
        build(cfg.recipe),
        build(cfg.loss),
        [f"class {number}" for number in range(10)],
    )
    images, _, _ = make_batch()
    classifier.fit_input(images.permute(0, 2, 3, 1).numpy())
    return classifier.train()


def make_batch(count: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pictures of soft blobs and noise with their class's colour, labels, and their numbers."""
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 10
    coarse = rng.integers(0, 160, (count, 4, 4, 3)) + 8 * labels[:, None, None, None]
    pixels = coarse.repeat(8, 1).repeat(8, 2) + rng.integers(0, 16, (count, 32, 32, 3))
    images = torch.from_numpy(pixels.clip(0, 255).astype(np.uint8)).permute(0, 3, 1, 2)
    return images, torch.from_numpy(labels), torch.arange(count)
