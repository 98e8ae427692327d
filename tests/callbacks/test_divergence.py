"""A run whose loss stops being a number: what is kept of it, and what every command then says."""

import json
import math
from types import SimpleNamespace

import pytest
import torch
from commands import TINY, lta_run, train

from lta.callbacks.divergence import Diverged, DivergenceStop
from lta.evaluate.__main__ import evaluate
from lta.inference.checkpoint import load, read_checkpoint
from lta.report.runs import read_runs
from lta.runtime.files import read_json, write_json
from lta.runtime.run_directory import describe_divergence
from lta.sweep.jobs import Job
from lta.sweep.records import settle
from lta.sweep.table import collect, render_text
from lta.training.checkpoint_io import add_digest
from lta.training.classifier import Classifier

LOST = "it has diverged: train/loss is not a finite number since epoch 2"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """`whole` is a run of two epochs; in the second one of `lost` the loss is no number."""
    directory = tmp_path_factory.mktemp("sweep")
    settings = [*TINY, "recipe.epochs=3"]
    train(*settings, "seed=1", f"hydra.run.dir={directory}/whole")
    step = Classifier.training_step
    with pytest.MonkeyPatch.context() as patch:

        def lose(self, batch, batch_index):
            return step(self, batch, batch_index) * (math.nan if self.current_epoch == 1 else 1)

        patch.setattr(Classifier, "training_step", lose)
        patch.setattr(Classifier, "on_train_epoch_end", _publish_nan(Classifier.on_train_epoch_end))
        with pytest.raises(AssertionError):
            train(*settings, f"hydra.run.dir={directory}/lost")
    return directory


def _publish_nan(publish):
    def wrapped(self):
        if self.current_epoch == 1:
            self.train_loss.total += math.nan
        publish(self)

    return wrapped


def test_it_ends_there_with_what_was_finite(runs):
    lost = runs / "lost"
    results = read_json(lost / "results.json")
    assert results["diverged"] == {"what": "train/loss", "epoch": 1}
    assert results["test"] == {}
    assert [row["train/loss"] is None for row in results["history"]] == [False, True]
    json.loads((lost / "results.json").read_text(), parse_constant=pytest.fail)
    assert len((lost / "metrics.csv").read_text().splitlines()) == 3, "the row that shows it is there"
    content = read_checkpoint(lost / "checkpoints" / "last.ckpt")
    assert content["epoch"] == 0
    assert all(weights.isfinite().all() for weights in content["state_dict"].values())


def test_every_command_says_so(runs, capsys, caplog):
    lost = runs / "lost"
    ended = lta_run(capsys, [f"resume={lost}"])
    assert ended.status == 1
    assert f"{LOST}; there is nothing to resume" in ended.err
    ended = lta_run(
        capsys,
        [f"checkpoint={lost}", "evaluator=classification"],
        evaluate,
        "evaluate",
        lists=("evaluator", "checkpoint"),
        sweeps=False,
    )
    assert ended.status == 0
    assert f"{lost}: {LOST}; the checkpoint is from before that" in ended.err + ended.out + caplog.text
    found, left_out = read_runs([runs])
    assert [run.path.name for run in found] == ["whole"]
    assert [str(one.reason) for one in left_out if one.path == lost] == [f"in no figure: {LOST}"]


def test_a_sweep_counts_it_in_no_mean_and_does_not_begin_it_again(runs, monkeypatch):
    for name in ("whole", "lost"):
        (runs / name / "console.log").touch()
    jobs = [Job(name, runs / name, version="any") for name in ("whole", "lost")]
    settle(jobs, "any")
    assert [(job.status, job.why) for job in jobs] == [("skipped", ""), ("failed", LOST)]
    found = collect(runs, jobs)
    assert {run["directory"]: run["status"] for run in found["runs"]} == {"whole": "finished", "lost": "diverged"}
    assert [group["n"] for group in found["groups"]] == [1]
    assert "not among them: lost (diverged)" in render_text(found)


def test_of_versions_that_tested_it_all_the_same(tmp_path):
    assert describe_divergence({"test": {"error": 66.7, "loss": math.nan}}).endswith("its test loss is not a finite number")
    assert describe_divergence({"test": {"error": 66.7, "loss": None}})
    assert describe_divergence({"test": {"error": 66.7, "loss": 1.0}}) is None
    assert describe_divergence({"test": {"error": 66.7}}) is None
    assert describe_divergence({"diverged": 3, "test": "nothing"}) is None
    write_json(tmp_path / "a.json", {"a": [math.inf, (math.nan, 1.5)]})
    assert read_json(tmp_path / "a.json") == {"a": [None, [None, 1.5]]}


def test_weights_that_are_no_numbers_are_not_loaded(runs, tmp_path):
    content = torch.load(runs / "whole" / "checkpoints" / "last.ckpt", weights_only=True)
    name = next(name for name, weights in content["state_dict"].items() if weights.is_floating_point())
    content["state_dict"][name].fill_(math.nan)
    torch.save(add_digest(content), tmp_path / "lost.ckpt")
    with pytest.raises(ValueError, match=r"holds weights that are not finite numbers \(.*\): its training has diverged"):
        load(tmp_path / "lost.ckpt")


@pytest.mark.parametrize(
    ("metrics", "weight", "what"),
    [
        ({"train/loss": math.nan}, 1.0, "train/loss"),
        ({"train/loss": math.inf}, 1.0, "train/loss"),
        ({"train/loss": 1.0, "val/loss": math.nan}, 1.0, "val/loss"),
        ({"train/loss": 1.0}, math.nan, "a weight"),
        ({"train/loss": 1.0, "val/error": math.nan}, 1.0, None),
    ],
)
@pytest.mark.usefixtures("shapes_unchecked")
def test_what_is_looked_at(metrics, weight, what):
    module = torch.nn.BatchNorm1d(2)  # it counts its batches in whole numbers
    module.weight.data[0] = weight
    trainer = SimpleNamespace(callback_metrics={key: torch.tensor(value) for key, value in metrics.items()}, current_epoch=4)
    if what is None:
        DivergenceStop().on_train_epoch_end(trainer, module)
    else:
        with pytest.raises(Diverged, match=f"{what} is not a finite number in epoch 5"):
            DivergenceStop().on_train_epoch_end(trainer, module)
