"""How well maps find the validation pictures' objects, summed over batches and processes as the evaluator measures it."""

import csv
import json
import re
from contextlib import nullcontext
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from commands import TINY, assert_refused, lta_run
from PIL import Image

from lta.callbacks.checkpoints import RunCheckpoint
from lta.callbacks.found_objects import FoundObjects
from lta.callbacks.telemetry import AttentionTelemetry, check_is_measured
from lta.data.batches import Split
from lta.data.known_masks import KnownMasks
from lta.inference.checkpoint import load
from lta.measures.localisation import cross_fit_thresholds, halves, score
from lta.measures.pixel_maps import density
from lta.runtime.teachers import name_teachers
from lta.viz.outline import COLOUR

COUNT, SIDE = 11, 8


@pytest.fixture
def made():
    """A split, masks of all pictures but two, maps of 4 x 4 that find some of the objects."""
    rng = np.random.default_rng(0)
    masks = np.zeros((COUNT, SIDE, SIDE), bool)
    for number, mask in enumerate(masks):
        top, left = rng.integers(0, 5, 2)
        mask[top : top + 3, left : left + 2 + number % 2] = True
    coarse = torch.from_numpy(masks).float().unflatten(1, (4, 2)).unflatten(3, (4, 2)).mean((2, 4))
    maps = coarse + torch.from_numpy(rng.random((COUNT, 4, 4))).float()
    split = Split(np.zeros((COUNT, SIDE, SIDE, 3), np.uint8), np.zeros(COUNT, np.int64))
    known = np.array([0, 1, 3, 4, 5, 6, 7, 9, 10])
    return split, masks, known, maps


def test_as_the_evaluator_measures_it(made):
    split, masks, known, maps = made
    parts = []
    for numbers in ([0, 1, 2, 3], [4, 5], [2, 8], [6, 7, 8, 9, 10]):  # two of them hold pictures without a mask
        part = FoundObjects(split, masks[known], known, ("A",), {})
        part.add(torch.tensor(numbers), {"A": maps[numbers]})
        parts.append(part)
    found = parts[0].summarise(torch.stack([part.sums for part in parts]).sum(0))
    pixels, inside = density(maps[known], (SIDE, SIDE)), torch.from_numpy(masks[known])
    expected = score(pixels, inside)
    columns = cross_fit_thresholds(expected.iou, halves(len(known), None, 0))
    iou = expected.iou[np.arange(len(known)), columns].mean()
    assert found["val/iou/A"] == found["val/iou"] == pytest.approx(iou, rel=1e-6)
    assert found["val/pointing/A"] == pytest.approx(expected.pointing.mean(), rel=1e-6)
    assert found["val/energy/A"] == pytest.approx(expected.energy.mean(), rel=1e-6)


def test_the_highest_level_counts(made):
    split, masks, known, maps = made
    found = FoundObjects(split, masks[known], known, ("A", "B"), {})
    found.add(torch.arange(COUNT), {"A": torch.ones(COUNT, 2, 2), "B": maps})
    measured = found.summarise(found.sums)
    assert measured["val/iou"] == measured["val/iou/B"] > measured["val/iou/A"]


@pytest.mark.parametrize(
    ("monitor", "mode"), [("val/iou", "max"), ("val/energy/B", "max"), ("val/error", "min"), (None, "min")]
)
def test_the_best_checkpoint_is_that_of_the_highest_overlap(monitor, mode):
    assert RunCheckpoint("best", monitor).mode == mode


MEASURED = [
    ("val/iou", 3, True, None),
    ("val/iou/B", 3, True, None),
    ("val/iou_of_mine", 0, False, None),
    ("val/iou", 1, True, "at least two validation pictures need a mask"),
    (
        "val/energy/A",
        0,
        True,
        "at least two validation pictures need a mask (where objects are known, loss.mask above 0 makes masks)",
    ),
    ("val/iou", 3, False, "callbacks.telemetry, which measures it, is null"),
    ("val/iou/Z", 3, True, "the network has no level Z; its levels are A, B"),
    ("val/pointing", 3, True, "it is measured for each level: choose val/pointing/B"),
]


@pytest.mark.parametrize(("monitor", "masked", "telemetry", "says"), MEASURED)
def test_a_monitor_that_nothing_measures_ends_before_the_training(made, monitor, masked, telemetry, says):
    split, masks, _, _ = made
    rows = np.where(np.arange(COUNT) < masked, np.arange(COUNT), -1)
    val = split._replace(masks=KnownMasks(masks, rows) if masked else None)
    trainer = Mock(spec=pl.Trainer, callbacks=[AttentionTelemetry()] * telemetry, datamodule=SimpleNamespace(val=val))
    module = Mock(spec=pl.LightningModule, network=SimpleNamespace(levels=("A", "B")), masks=None)
    key = re.escape(f"callbacks.best_checkpoint.monitor={monitor} is not measured: {says}")
    with pytest.raises(ValueError, match=key) if says else nullcontext():
        check_is_measured("callbacks.best_checkpoint.monitor", monitor, trainer, module)


def test_a_run_without_masks_does_not_begin_to_train_towards_them(tmp_path, capsys):
    monitor = "callbacks.best_checkpoint.monitor=val/iou"
    ended = lta_run(capsys, [*TINY, monitor, f"hydra.run.dir={tmp_path}/run"])
    assert_refused(ended, f"{monitor} is not measured: at least two validation pictures need a mask")
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_a_run_watches_both_and_says_what_its_maps_were_taught_by(tmp_path, capsys):
    given = ["loss.mask=1", "loss.mask_count=4", "loss.mask_levels=[A,B]", "callbacks.best_checkpoint.monitor=val/iou"]
    ended = lta_run(capsys, [*TINY, *given, "test_checkpoint=best", f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 0, ended.err
    assert "maps            taught by labels and 4 masks (at A, B; loss.mask=1, bce)" in ended.out
    (row,) = csv.DictReader((tmp_path / "run" / "metrics.csv").read_text().splitlines())
    assert {"val/error", "val/iou", "val/iou/A", "val/pointing/C", "val/energy/B", "train/mask_loss"} <= set(row)
    assert 0 < float(row["val/iou"]) < 1
    sheet = np.asarray(Image.open(tmp_path / "run" / "attention" / "epoch_0000.png").convert("RGB"))
    assert (sheet == COLOUR).all(2).sum() > 100, "the masks' outlines"
    assert json.loads((tmp_path / "run" / "results.json").read_text())["taught_by"]["masks"] == 4
    for which in ("last", "best"):
        hparams = load(tmp_path / "run", which).hparams
        assert name_teachers(hparams["taught_by"]) == "labels and 4 masks"
