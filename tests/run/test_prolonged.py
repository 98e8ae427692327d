"""A finished run that is to be trained for more epochs."""

import pytest
import torch
import yaml
from commands import TINY, assert_refused, lta_run, train

from lta.inference.checkpoint import load
from lta.runtime.files import read_json

SETTINGS = (*TINY, "schedule=author", "model.dropout=1")


def test_it_becomes_the_run_that_it_would_have_been(tmp_path, capsys):
    run, whole = tmp_path / "run", tmp_path / "whole"
    train(*SETTINGS, "recipe.epochs=2", f"hydra.run.dir={run}")
    train(*SETTINGS, "recipe.epochs=3", f"hydra.run.dir={whole}")
    assert_refused(lta_run(capsys, [f"resume={run}", "recipe.epochs=1"]), "has 2 epochs; give more than that")
    assert "this run is complete" in train(f"resume={run}", "recipe.epochs=2")
    said = train(f"resume={run}", "recipe.epochs=3")
    assert "epoch 3/3" in said
    assert "epoch 2/3" not in said
    for name, weight in load(whole).network.state_dict().items():
        assert torch.equal(weight, load(run).network.state_dict()[name]), name
    one, other = (read_json(directory / "results.json") for directory in (run, whole))
    assert one["test"] == other["test"]
    assert (one["epochs"], one["complete"]) == (3, True)
    assert yaml.safe_load((run / "config.yaml").read_text())["recipe"]["epochs"] == 3
    assert "this run is complete" in train(f"resume={run}")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["schedule=cosine"], "WarmupCosine makes the rate of each step from the number of epochs"),
        (["schedule=author", "schedule.of_epochs=300"], "schedule.of_epochs moves the changes in proportion"),
    ],
)
def test_where_the_schedule_knows_the_end_it_is_refused_and_stays_as_it_is(tmp_path, capsys, settings, says):
    run = tmp_path / "run"
    train(*TINY, *settings, f"hydra.run.dir={run}")
    before = {path: path.read_bytes() for path in (run / "config.yaml", run / "results.json", run / "run.json")}
    ended = lta_run(capsys, [f"resume={run}", "recipe.epochs=3"])
    assert_refused(ended, f"{says}")
    assert f"init_from={run} begins a new run with its weights" in ended.err
    assert {path: path.read_bytes() for path in before} == before
