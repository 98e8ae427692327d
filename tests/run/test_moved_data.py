"""Data that lie elsewhere than when a run began: it goes on, and is asked, by naming the place."""

import shutil

import numpy as np
import pytest
import yaml
from commands import assert_refused, lta_run, train
from PIL import Image

from lta.cli.own_data import add_saved_data, add_saved_places
from lta.evaluate.__main__ import evaluate

SETTINGS = (
    "data=image_folder",
    "data.image_size=32",
    "data.cache=off",
    "data.batch_size=8",
    "model.width=0.0625",
    "recipe.epochs=2",
    "logger=none",
    "trainer=cpu",
)


@pytest.fixture
def moved(tmp_path):
    """(the run, which was stopped before its test; where its pictures lie now)"""
    before, now = tmp_path / "before", tmp_path / "now"
    random = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (before / name).mkdir(parents=True)
        for number in range(20):
            Image.fromarray(random.integers(0, 255, (32, 32, 3), np.uint8)).save(before / name / f"{number}.png")
    train(*SETTINGS, f"data.root={before}", f"hydra.run.dir={tmp_path}/run")
    (tmp_path / "run" / "results.json").unlink()
    shutil.move(before, now)
    return tmp_path / "run", now


def ask(capsys, *arguments):
    settings = {"lists": ("evaluator", "checkpoint"), "sweeps": False, "add_saved": add_saved_data}
    return lta_run(capsys, ["evaluator=classification", *arguments], evaluate, "evaluate", **settings)


def resume(capsys, *arguments):
    return lta_run(capsys, arguments, add_saved=add_saved_places)


def test_a_stopped_run_goes_on_and_is_asked(moved, capsys):
    run, now = moved
    assert_refused(resume(capsys, f"resume={run}"), "before")
    ended = resume(capsys, f"resume={run}", f"data.root={now}", "data.cache=off")
    assert ended.status == 0, ended.err
    assert "test error" in ended.out
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["root"].endswith("before"), "it keeps its configuration"
    ended = ask(capsys, f"checkpoint={run}", f"data.root={now}")
    assert ended.status == 0, ended.err
    assert "classification of" in ended.out


def test_what_is_no_place_stays_refused(moved, capsys):
    run, now = moved
    assert_refused(resume(capsys, f"resume={run}", "data.batch_size=4"), "data.batch_size=4 can't be given with resume=")
    assert_refused(
        resume(capsys, f"resume={run}", f"data.root={now}", "preprocess.cache=off"), "has no setting preprocess.cache"
    )
    assert_refused(ask(capsys, f"checkpoint={run}", f"data.rot={now}"), "data.rot: the data of ")
    assert_refused(ask(capsys, f"checkpoint={run}", "data.image_size=16", f"data.root={now}"), "give data.image_size=32")


def test_which_arguments_are_added():
    assert add_saved_places(["resume=RUN", "data.root=a=b", "trainer=cpu"]) == [
        "resume=RUN",
        "++data.root=a=b",
        "trainer=cpu",
    ]
    again = ["resume=RUN", "++data.root=a"]
    assert add_saved_places(again) == again, "as the processes of one run are given it again"
    for new in (["resume=auto", "data.root=a"], ["data.root=a"], ["resume=RUN", "data.val_size=1"]):
        assert add_saved_places(new) == new
    assert add_saved_data(["checkpoint=RUN", "data.root=a"]) == ["checkpoint=RUN", "++data.root=a"]
    assert add_saved_data(["data=cifar10", "data.root=a"]) == ["data=cifar10", "data.root=a"]
