"""A run keeps what it said of each test picture."""

import csv
import json

import numpy as np
import pytest
import torch
from commands import TINY, lta_run
from PIL import Image

import lta


def read_rows(directory):
    with (directory / "test_predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("val", 4), ("test", 6)):
        for name in ("=red", "green", "blue"):
            place = tmp_path / "data" / part / name
            place.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(place / f"{number}.png")
    return tmp_path / "data"


def test_of_files(capsys, folder, tmp_path):
    kept = [argument for argument in TINY if not argument.startswith("data.")]
    data = ["data=image_folder", f"data.root={folder}", "data.batch_size=8", "data.eval_batch_size=5", "data.cache=off"]
    ended = lta_run(capsys, [*kept, *data, f"hydra.run.dir={tmp_path / 'run'}"])
    assert ended.status == 0, ended.err
    assert f"predictions     {tmp_path / 'run' / 'test_predictions.csv'}" in ended.out
    rows = read_rows(tmp_path / "run")
    assert list(rows[0]) == [
        *("image", "file", "class", "label", "probability", "right", "label_2", "probability_2", "label_3", "probability_3")
    ]
    assert [int(row["image"]) for row in rows] == list(range(18))
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert 100 * np.mean([row["right"] == "0" for row in rows]) == pytest.approx(results["test"]["error"], abs=1e-4)
    assert {row["class"] for row in rows} == {"'=red", "green", "blue"}, "no spreadsheet computes a class's name"
    found = lta.load(tmp_path / "run").predict([folder / row["file"] for row in rows])
    for row, label, shares in zip(rows, found.labels, found.probabilities, strict=True):
        assert row["class"].removeprefix("'") == row["file"].split("/")[1]
        assert row["label"].removeprefix("'") == label
        assert float(row["probability"]) == pytest.approx(shares.max().item(), abs=1e-3)
        assert row["right"] == str(int(row["label"] == row["class"]))
        three = [float(row[f"probability{end}"]) for end in ("", "_2", "_3")]
        assert three == pytest.approx(torch.sort(shares, descending=True).values.tolist(), abs=1e-3)


def test_of_pictures_without_files(capsys, tmp_path):
    assert lta_run(capsys, [*TINY, f"hydra.run.dir={tmp_path / 'run'}"]).status == 0
    rows = read_rows(tmp_path / "run")
    assert "file" not in rows[0]
    assert [int(row["image"]) for row in rows] == list(range(32))
