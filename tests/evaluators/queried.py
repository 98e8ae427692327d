"""Networks so small that what their query does is known: a feature is a pixel's colour, as it is stored."""

from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from lta.data.batches import Split
from lta.layers.attention import Attention
from lta.layers.compatibility import DotProduct
from lta.layers.heads import Prediction
from lta.models.attention_net import AttentionNet
from lta.models.trunk import StagedTrunk

CLASSES = ("red", "green")


class Asked(nn.Module):
    """What evaluators call; `preprocess` leaves 0 to 1."""

    def __init__(self, network, class_names=CLASSES):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(()))
        self.network, self.class_names = network, class_names

    def preprocess(self, images):
        return images.float() / 255

    def forward(self, images):
        return self.network(self.preprocess(images))


class Branch(nn.Module):
    """How much red and how much green the picture has, times 100."""

    def forward(self, x):
        return 100 * x.amax((2, 3)) * torch.tensor([1.0, 1.0, 0.0])


class Head(nn.Module):
    """Red against green in the descriptor."""

    def forward(self, descriptors):
        logits = 10 * descriptors[0][:, :2]
        return Prediction(logits, (logits,))


def network(compat=None, branch=None, normaliser="softmax"):
    trunk = StagedTrunk()
    trunk.stages["C"] = nn.Identity()
    unit = Attention(compat or DotProduct(3), normaliser)
    return AttentionNet(trunk, {"C": branch or Branch()}, {"C": "C"}, {"C": unit}, Head()).eval()


def data(test, singles=None, batch_size=4, class_names=CLASSES):
    found = SimpleNamespace(test=test, class_names=class_names, eval_batch_size=batch_size)
    if singles is not None:
        found.singles = singles
    return found


def pairs(count, side_labels=True):
    """8x8 pictures of a red and a green dot of 2x2 pixels, one on the left, one on the right; every other is labelled 1."""
    rng = np.random.default_rng(0)
    images, roles = np.zeros((count, 8, 8, 3), np.uint8), np.zeros((count, 8, 8), np.uint8)
    labels = np.arange(count) % 2
    for number, label in enumerate(labels):
        on_left = rng.integers(2)
        for colour in (0, 1):
            top, left = rng.integers(0, 7), 1 + 4 * (colour != on_left)
            images[number, top : top + 2, left : left + 2, colour] = 255
            roles[number, top : top + 2, left : left + 2] = 2 if colour == label else 1
    return Split(images, labels, roles, np.arange(count), 1 - labels if side_labels else None)


def singles(count):
    """Pictures of one dot."""
    images = np.zeros((count, 8, 8, 3), np.uint8)
    labels = np.arange(count) % 2
    images[np.arange(count), 3, 4, labels] = 255
    return Split(images, labels)
