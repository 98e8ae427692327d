"""Over all parts of a run that was killed and resumed, W&B has each epoch once."""

import json

import pytest
from wandb_commands import OFFLINE, epochs, history, lta, parts, records

pytestmark = pytest.mark.slow

RUN = [*OFFLINE, "recipe.epochs=3", "callbacks.attention_maps.images=2"]


@pytest.mark.parametrize("point", ["recorded", "saved", "sent", "tested"])
def test_no_epoch_is_missing_or_twice_wherever_the_run_is_killed(tmp_path, point):
    directory = tmp_path / "run"
    killed = lta(
        point, 3 if point == "tested" else 1, *RUN, f"hydra.run.dir={directory}", cwd=tmp_path, script="killed_run.py"
    )
    assert killed.returncode == -9, killed.stderr
    assert not (directory / "results.json").exists()
    ended = lta(f"resume={directory}", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    assert len(parts(directory)) == 2
    rows = history(directory)
    assert sorted(epochs(rows)) == [0, 1, 2]
    assert sum("test/error" in row for row in rows) == 1
    lines = (directory / "metrics.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2"]
    for row in rows:
        assert "epoch" in row
        if "train/loss" in row:
            assert "val/error" in row
            assert row["attention/panel.count"] in (1, 2), "pictures and metrics share a row"
    ids = {record["run"]["run_id"] for part in parts(directory) for record in records(part) if record["type"] == "run"}
    assert ids == {(directory / "wandb_id").read_text()}


def test_a_part_that_cannot_be_read_is_said_and_nothing_is_sent_twice(tmp_path):
    directory = tmp_path / "run"
    lta("saved", 1, *RUN, f"hydra.run.dir={directory}", cwd=tmp_path, script="killed_run.py")
    (part,) = parts(directory)
    (log,) = part.glob("run-*.wandb")
    log.write_bytes(b"no log of W&B")
    ended = lta(f"resume={directory}", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert f"{part} holds can't be read" in ended.stdout
    log.unlink()
    assert epochs(history_of(parts(directory)[1])) == [2]
    assert json.loads((directory / "results.json").read_text())["tested_epochs"] == 3


def history_of(part):
    return [record["history"]["item"] for record in records(part) if record["type"] == "history"]
