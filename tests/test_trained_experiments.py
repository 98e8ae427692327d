"""Every experiment of conf/experiment/ builds, costs the hours that its header says, and trains."""

import json
from functools import cache

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from experiment_files import CLASSES, ROWS, composed, experiment, header
from networks import COUNTS
from torch._subclasses import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from lta.data.base import ImageData
from lta.data.batches import Split
from lta.instantiate import build, plain
from lta.training.classifier import Classifier
from lta.training.trainer import build_trainer

IMAGES = {"cifar10": 50_000, "cifar100": 50_000, "svhn": 73_257, "cub200": 5_994}
ASSUMED = 30e12
"""FLOP/s of the GPU that the headers assume; none was measured."""


def flops(name):
    """Of one picture, forward, at the experiment's own width."""
    cfg, chosen = experiment(name)
    model = {key: value for key, value in plain(cfg)["model"].items() if key != "init"}
    return flops_of(json.dumps(model), CLASSES[chosen.data], cfg.data.get("image_size", 32))


@cache
def flops_of(model, classes, size):
    with FakeTensorMode():
        network = build(json.loads(model))(num_classes=classes).eval()
        with FlopCounterMode(display=False) as counted:
            network(torch.zeros(1, 3, size, size))
    return counted.get_total_flops()


def hours_line(name):
    cfg, chosen = experiment(name)
    images, forward = IMAGES[chosen.data] - cfg.data.val_size, flops(name) / 1e9
    hours = cfg.recipe.epochs * images * 3 * forward * 1e9 / ASSUMED / 3600
    return (
        f"{hours:.2g} on one GPU, an estimate: {cfg.recipe.epochs} epochs x {images:,} images x 3 x {forward:.2g} GFLOP "
        f"(forward, and twice that backward), at an assumed {ASSUMED / 1e12:g} TFLOP/s in bf16; no GPU was measured"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_it_builds_at_full_width_and_the_hours_follow(name):
    cfg, chosen = experiment(name)
    classes = CLASSES[chosen.data]
    with torch.device("meta"):
        parameters = sum(p.numel() for p in build(cfg.model)(num_classes=classes).parameters())
    compat = (chosen.compat,) if chosen.get("compat") else ()
    known = COUNTS.get((chosen.model, *compat, *(("indep",) if chosen.get("head") == "indep" else ())))
    if cfg.model.get("prune_inert_query"):
        known = None if known is None else tuple(count - 5_116_672 for count in known)
    if known is not None:
        ten, hundred = known
        assert parameters == ten + (hundred - ten) * (classes - 10) // 90
    else:
        assert (chosen.model, *compat) in UNCOUNTED
    assert header(name)["Hours"] == hours_line(name)


UNCOUNTED = {
    ("vgg_late",),
    ("vgg_att3", "dp"),
    ("vgg_att3", "additive"),
    ("vgg_att3", "scaled_dp"),
    ("air_att3", "dp"),
    ("air_att3", "additive"),
    ("air_att3", "uniform"),
    ("air_att3", "frozen"),
}


class MadeUp(ImageData):
    """Four pictures of noise to train on."""

    def __init__(self, classes, size):
        super().__init__(batch_size=4, eval_batch_size=4)
        self.made = tuple(str(number) for number in range(classes)), size

    def load(self):
        names, size = self.made
        images = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
        split = Split(images, np.arange(4, dtype=np.int64))
        return names, split, None, split


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Where what is measured on the pictures is kept: whitening takes seconds."""
    return str(tmp_path_factory.mktemp("measured"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ROWS)
def test_one_step_of_training(name, measured, tmp_path):
    _, chosen = experiment(name)
    small = ["model.width=0.25", "model.depth=20"] if chosen.model.startswith("rn") else ["model.width=0.0625"]
    if chosen.recipe == "air":
        small.append("recipe.lookahead=false")  # after the last step, here the first, it takes the average: the start
    cfg, _ = composed(f"experiment={name}", *small)
    data = MadeUp(CLASSES[chosen.data], cfg.data.get("image_size", 32))
    data.test_each_epoch = cfg.test_each_epoch
    data.setup()
    pl.seed_everything(cfg.seed, verbose=False)
    classifier = Classifier(
        build(cfg.model)(num_classes=data.num_classes),
        build(cfg.preprocess, **({"cache": measured} if "cache" in cfg.preprocess else {})),
        build(cfg.augment),
        build(cfg.recipe),
        data.class_names,
    )
    classifier.fit_input(data.train.images)
    before = {key: tensor.clone() for key, tensor in classifier.network.state_dict().items()}
    trainer = build_trainer(1, str(tmp_path), accelerator="cpu", precision="32-true", fast_dev_run=1)
    trainer.fit(classifier, datamodule=data)
    assert trainer.global_step == 1
    assert np.isfinite(trainer.callback_metrics["train/loss"].item())
    after = classifier.network.state_dict()
    assert all(tensor.isfinite().all() for tensor in after.values())
    moved = {key for key, tensor in before.items() if not torch.equal(tensor, after[key])}
    assert any(key.startswith("trunk.stages.A.0") for key in moved)
    assert not any(key.endswith("compat.weight") for key in moved), "frozen"
    if chosen.get("compat") in ("pc", "additive"):
        assert {key for key in before if key.endswith("scorer.weight")} <= moved
