"""Networks of each kind train on real pictures: one epoch of 2,000 CIFAR-10 images."""

import os
from pathlib import Path

import pytest
import torch
from networks import composed, network

from lta.data.cifar import CIFAR
from lta.data.splits import balanced_choice
from lta.instantiate import build
from lta.training.gradients import average_at_junctions
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.training.schedules import Steps
from lta.transforms.normalize import Standardize

ROOT = os.environ.get("LTA_DATA_ROOT")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path(ROOT or "nowhere", "cifar-10-batches-py").is_dir(),
        reason="LTA_DATA_ROOT names no folder with cifar-10-batches-py/",
    ),
]

BATCH = 50


@pytest.fixture(scope="module")
def pictures():
    data = CIFAR(root=ROOT, download=False)
    data.prepare_data()
    split = data.train.take(balanced_choice(data.train.labels, 2000))
    standardize = Standardize()
    standardize.fit(split.images)
    images = standardize(torch.from_numpy(split.images).permute(0, 3, 1, 2))
    return images, torch.from_numpy(split.labels)


def trained(built, recipe, images, labels, order, augment=lambda batch: batch):
    """Mean losses of the first and the last eight steps, over the images in this order."""
    optimizer = recipe.optimizer(built, BATCH)
    losses = []
    for chosen in order.split(BATCH):
        loss = CrossEntropy(recipe.label_smoothing)(built(augment(images[chosen])), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return tuple(torch.tensor(part).mean().item() for part in (losses[:8], losses[-8:]))


KINDS = ("vgg", "vgg_gap", "vgg_att3", "vgg_att3_three_globals", "vgg_att3_upprojecting", "vgg_pan", "rn_att2")
"""The others are made of the same parts: that a step moves each parameter of theirs, test_family.py tells."""


@pytest.mark.parametrize("model", KINDS)
def test_one_epoch_lowers_the_loss(model, pictures):
    images, labels = pictures
    small = ["model.width=0.25", "model.depth=29"] if model.startswith("rn") else ["model.width=0.125", "model.dropout=0"]
    built = network(f"model={model}", *small).to(memory_format=torch.channels_last)
    slow = model.startswith("rn_") or "three_globals" in model  # with three seeds 0.38 to 0.5 at 0.02, 0.09 to 0.41 at 0.05
    recipe = SGDRecipe(1, lr=0.02 if slow else 0.05, lr_batch=0, schedule=Steps())
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    first, last = trained(built, recipe, images, labels, order)
    assert last < first - 0.1, f"{model}: from {first:.3f} to {last:.3f}"


def test_the_authors_recipe_learns_on_real_pictures():
    """As composed for CIFAR-10, on 2,000 pictures and twice over them; dropout off, since its rates suit width 1."""
    cfg = composed("recipe=author", "data=cifar10", "model=vgg_att3", "model.width=0.125", "model.dropout=0")
    recipe, augment, preprocess = build(cfg.recipe), build(cfg.augment), build(cfg.preprocess)
    data = CIFAR(root=ROOT, download=False, val_size=0)
    data.prepare_data()
    split = data.train.take(balanced_choice(data.train.labels, 2000))
    preprocess.fit(split.images)
    images, labels = preprocess(torch.from_numpy(split.images).permute(0, 3, 1, 2)), torch.from_numpy(split.labels)
    torch.manual_seed(0)
    built = build(cfg.model)(num_classes=10).to(memory_format=torch.channels_last)
    average_at_junctions(built, recipe.average_gradients)
    order = torch.cat([torch.randperm(len(labels)) for _ in range(2)])
    first, last = trained(built, recipe, images, labels, order, augment)
    assert last < first - 0.1, f"from {first:.3f} to {last:.3f}"
