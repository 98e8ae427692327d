"""Every experiment of conf/experiment/ builds, takes the time that its header says, and trains."""

import copy
import json
from functools import cache

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from experiment_files import CLASSES, ROW_OF, ROWS, experiment, header, make_experiments
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


def measure(name):
    """FLOPs of one picture, forward, at the experiment's own width; and its network's parameters."""
    cfg, chosen = experiment(name)
    model = {key: value for key, value in plain(cfg)["model"].items() if key != "init"}
    return measure_network(json.dumps(model), CLASSES[chosen.data], cfg.data.get("image_size", 32))


@cache
def measure_network(model, classes, size):
    with FakeTensorMode():
        network = build(json.loads(model))(num_classes=classes).eval()
        with FlopCounterMode(display=False) as counted:
            network(torch.zeros(1, 3, size, size))
    return counted.get_total_flops(), sum(p.numel() for p in network.parameters())


def time_line(name):
    cfg, chosen = experiment(name)
    images, forward = IMAGES[chosen.data] - cfg.data.val_size, measure(name)[0] / 1e9
    hours = cfg.recipe.epochs * images * 3 * forward * 1e9 / ASSUMED / 3600
    if hours >= 1:
        time = f"{hours:.2g} hours"
    else:
        time = f"{hours * 60:.2g} minutes" if hours * 60 >= 1 else f"{hours * 3600:.2g} seconds"
    return (
        f"{time} on one GPU, an estimate: {cfg.recipe.epochs} epochs x {images:,} images x 3 x {forward:.2g} GFLOP "
        f"(forward, and twice that backward), at an assumed {ASSUMED / 1e12:g} TFLOP/s in bf16; no GPU was measured"
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ROWS, key=lambda name: [str(ROW_OF[name].get(key)) for key in ("model", "compat")]))
def test_it_builds_at_full_width_and_the_time_follows(name):
    cfg, chosen = experiment(name)
    classes = CLASSES[chosen.data]
    _, parameters = measure(name)
    compat = (chosen.compat,) if chosen.get("compat") else ()
    known = COUNTS.get((chosen.model, *compat, *(("indep",) if chosen.get("head") == "indep" else ())))
    if cfg.model.get("width", 1) != 1 and make_experiments.table_of(name) == "headline":
        known = None  # counted at full width
    if cfg.model.get("prune_inert_query"):
        known = None if known is None else tuple(count - 5_116_672 for count in known)
    if known is not None:
        ten, hundred = known
        assert parameters == ten + (hundred - ten) * (classes - 10) // 90
    else:
        assert (chosen.model, *compat) in UNCOUNTED
    assert header(name)["Time"] == time_line(name)


UNCOUNTED = {
    ("vgg_late",),
    ("vgg_att3", "dp"),
    ("vgg_att3", "additive"),
    ("vgg_att3", "scaled_dp"),
    ("air_att3", "dp"),
    ("air_att3", "additive"),
    ("air_att3", "uniform"),
    ("air_att3", "frozen"),
    ("air_att3", "scaled_dp"),
    ("air_wide_att3", "pc"),
    ("air_wide_att3", "uniform"),
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


LIKE_OTHERS = {
    *(f"cifar10_{model}" for model in ("rn_att1", "rn_att2", "vgg_gap", "vgg_pan")),
    *(f"cifar10_vgg_att1_{compat}" for compat in ("dp", "pc")),
    *(f"cifar10_vgg_att2_{rest}" for rest in ("dp_indep", "pc_concat", "pc_indep", "two_globals")),
    *(f"cifar10_vgg_att3_{rest}" for rest in ("dp_concat", "dp_indep", "pc_concat", "pc_indep")),
    *(f"cifar10_vgg_progressive_{gate}" for gate in ("hl", "ll")),
    *(f"svhn_{rest}" for rest in ("vgg_att2_dp_concat", "vgg_att2_pc_concat", "vgg_att3_pc_concat", "vgg_gap", "vgg_pan")),
    *(f"official_cifar10_{network}" for network in ("trunk", "gap", "uniform", "frozen", "pc", "additive", "dp")),
    *(f"official_cifar100_{network}" for network in ("trunk", "gap", "uniform", "frozen", "pc", "additive", "scaled_dp")),
    "headline_cifar10_pc",
    "headline_cifar100_uniform",
    "control_gap",
    "ladder_00_author",
    "ladder_11_fast",
}
"""Experiments of which another row trains the network and another the way of training: no step of their own is needed."""
TRAINED = [name for name in ROWS if name not in LIKE_OTHERS]


def drop_numbers(value):
    """What decides which code runs: whether a rate is 0, not how large it is."""
    if isinstance(value, dict):
        return {key: drop_numbers(inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [drop_numbers(inside) for inside in value]
    return bool(value) if isinstance(value, int | float) else value


def split_into_network_and_way(name):
    cfg, chosen = experiment(name)
    settings = plain(cfg)
    network = {key: value for key, value in settings["model"].items() if key not in ("width", "dropout")}
    parts = drop_numbers([settings["recipe"], settings["augment"]]), settings["preprocess"]["_target_"]
    way = *parts, settings["data"].get("image_size"), CLASSES[chosen.data], cfg.test_each_epoch
    return json.dumps(network, sort_keys=True), json.dumps(way, sort_keys=True)


@pytest.mark.slow
def test_every_network_and_every_way_of_training_takes_a_step():
    taken = [part for name in TRAINED for part in split_into_network_and_way(name)]
    assert set(ROWS) > LIKE_OTHERS
    for name in LIKE_OTHERS:
        assert set(split_into_network_and_way(name)) <= set(taken), name


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_one_step_of_training(name, measured, tmp_path):
    cfg, chosen = experiment(name)
    cfg = copy.deepcopy(cfg)
    cfg.model.width = 0.0625
    if chosen.model.startswith("rn"):
        cfg.model.width, cfg.model.depth = 0.25, 20
    if chosen.recipe == "air":
        cfg.recipe.lookahead = False  # after the last step, here the first, it takes the average: the start
    data = MadeUp(CLASSES[chosen.data], cfg.data.get("image_size", 32))
    data.test_each_epoch = cfg.test_each_epoch
    data.setup()
    pl.seed_everything(cfg.seed, verbose=False)
    classifier = Classifier(
        build(cfg.model)(num_classes=data.num_classes),
        build(cfg.preprocess, **({"cache": measured} if "cache" in cfg.preprocess else {})),
        build(cfg.augment),
        build(cfg.recipe),
        build(cfg.loss),
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
