"""Files that another version wrote, or a hand: nothing in them ends the report, and what can't be used is said."""

import json
import shutil

import pytest
import yaml
from made_runs import figure, make_run

from lta.report.__main__ import main
from lta.report.runs import read_runs


def changed(name, change):
    def do(run):
        path = run / name
        content = json.loads(path.read_text()) if name.endswith("json") else yaml.safe_load(path.read_text())
        change(content)
        path.write_text(json.dumps(content) if name.endswith("json") else yaml.safe_dump(content))

    return do


def history(place, **values):
    return changed("results.json", lambda results: results["history"][place].update(values))


def answer(**values):
    return changed("evaluations/classification.json", lambda found: found.update(values))


ODD = {
    "nan": (history(1, **{"val/error": float("nan")}), "read without 1 value (no possible number)"),
    "text": (history(1, **{"val/error": "x", "train/loss": [1]}), "read without 2 values (no possible number)"),
    "null at the end": (
        history(-1, **{"val/error": None, "time/seconds": "x"}),
        "read without 2 values (no possible number)",
    ),
    "no epoch": (history(0, epoch=None), "read without 1 row (no whole epoch)"),
    "short time": (history(-1, **{"time/seconds": 5e-324}), "read without 1 value (no possible number)"),
    "negative time": (history(-1, **{"time/seconds": -5.0, "time/images": -1}), "read without 2 values"),
    "tiny": (history(1, **{"val/error": 5e-324, "train/loss": 0.0}), None),
    "huge": (history(1, **{"val/error": 1e300}), "read without 1 value (no possible number)"),
    "very long": (history(1, **{"val/error": 10**400}), "read without 1 value (no possible number)"),
    "half epoch": (history(1, epoch=0.5), "read without 1 row (no whole epoch)"),
    "negative epoch": (history(1, epoch=-1.0), "read without 1 row (no whole epoch)"),
    "endless epoch": (history(1, epoch=float("inf")), "read without 1 row (no whole epoch)"),
    "far epoch": (history(1, epoch=1e18), "read without 1 row (no whole epoch)"),
    "true epoch": (history(1, epoch=True), "read without 1 row (no whole epoch)"),
    "epoch again": (history(1, epoch=0.0), "read without 1 row (a later one is of the same epoch)"),
    "out of order": (history(0, epoch=9), "its history is not in the order of its epochs: it was sorted"),
    "whole numbers": (history(1, **{"epoch": 1, "val/error": 20}), None),
    "rows": (changed("results.json", lambda results: results["history"].append([1])), "read without 1 row (no whole epoch)"),
    "no rows": (changed("results.json", lambda results: results.update(history=[{}])), "it is in no curve"),
    "no history": (changed("results.json", lambda results: results.update(history=3)), "it is in no curve"),
    "seeds": (changed("config.yaml", lambda config: config.update(seed=[1, 2])), "config.yaml has the seed [1, 2]"),
    "deep": (lambda run: (run / "results.json").write_text('{"a":' * 100_000), "results.json is broken"),
    "no seed": (changed("config.yaml", lambda config: config.update(seed=None)), None),
    "no epochs": (changed("config.yaml", lambda config: config["recipe"].update(epochs=None)), None),
    "no levels": (changed("config.yaml", lambda config: config["model"].update(levels=None)), None),
    "levels": (changed("config.yaml", lambda config: config["model"].update(levels=7)), "its config.yaml is none of lta's"),
    "above 100": (changed("results.json", lambda results: results["test"].update(error=1e300)), "has no test error"),
    "endless": (changed("results.json", lambda results: results["test"].update(error=float("inf"))), "has no test error"),
    "cost": (changed("results.json", lambda results: results.update(seconds="x", parameters="y")), None),
    "start": (changed("run.json", lambda run: run.update(starts=[{"command": None}])), "its run.json can't be read"),
    "starts": (changed("run.json", lambda run: run.update(starts=["x"])), "its run.json can't be read"),
    "long": (changed("results.json", lambda results: results["test"].update(error=10**400)), "has no test error"),
    "git": (changed("run.json", lambda run: run["starts"][0].update(git="x")), "its run.json can't be read"),
    "figures": (answer(figures=[1]), "evaluations/classification.json can't be read"),
    "settings": (
        answer(question={"data": {"_target_": "x"}, "settings": [1]}),
        "evaluations/classification.json can't be read",
    ),
    "data": (answer(question={"data": {"_target_": None}}), "evaluations/classification.json can't be read"),
    "nothing answered": (answer(figures={"error": {"value": None}, "ece": {"value": float("nan")}}), None),
    "large": (answer(figures={"error": figure(1e300)}), None),
    "panel": (lambda run: (run / "attention" / "epoch_0000.png").rename(run / "attention" / "epoch_last.png"), None),
    "loop": (lambda run: (run / "again").symlink_to("."), None),
}


def test_what_is_left_of_an_odd_history(tmp_path):
    run = make_run(tmp_path / "run", "data=cifar10")
    rows = [
        {"epoch": 2, "val/error": 3.0, "time/seconds": -1.0},
        {"epoch": 0.0, "val/error": 9.0},
        {"val/error": 1.0},
        {"epoch": 1.0, "val/error": float("nan"), "time/seconds": 5e-324, "time/images": 0.0},
        {"epoch": 0.0, "val/error": 8.0, "lr": False},
        {"epoch": 1.5},
        "x",
    ]
    changed("results.json", lambda results: results.update(history=rows))(run)
    (read_back,), (note, order, _) = read_runs([tmp_path])
    kept = [{"epoch": 0.0, "val/error": 8.0}, {"epoch": 1.0, "time/images": 0.0}, {"epoch": 2, "val/error": 3.0}]
    assert read_back.history == kept
    assert note.reason == (
        "its history is read without 4 values (no possible number), 3 rows (no whole epoch), "
        "1 row (a later one is of the same epoch)"
    )
    assert "it was sorted" in order.reason


@pytest.fixture(scope="module")
def usual_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("usual")
    for seed in (0, 1, 2):
        answers = {"classification": {"error": figure(5 + seed)}}
        make_run(folder / f"run-{seed}", "data=cifar10", "model=vgg_att2", seed=seed, panels=1, answers=answers)
    return folder


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_ends_nothing(tmp_path, usual_runs, name):
    shutil.copytree(usual_runs, tmp_path, dirs_exist_ok=True)
    spoil, says = ODD[name]
    spoil(tmp_path / "run-0")
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "report.md").read_text()
    assert "vgg_att2" in page
    assert "run-2" in page
    notes = page.partition("## Left out")[2].replace("\\", "")
    assert says is None or says in notes
    assert (says is None) == ("run-0" not in notes)
