"""Pictures that were added, removed, changed or moved after training: evaluate and resume say so, or refuse."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import assert_refused, lta_run, train
from PIL import Image

import lta
from lta.data.fingerprint import read_fingerprint, write_fingerprint
from lta.evaluate.__main__ import evaluate

PLAIN = (
    *("model=vgg_att1", "compat=pc", "model.width=0.0625", "recipe=fast", "recipe.epochs=1", "trainer=cpu"),
    *("trainer.precision=32-true", "default_evaluators=none", "logger=none", "callbacks.attention_maps=null"),
)


def draw(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(value).integers(0, 256, (32, 32, 3), np.uint8)).save(path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of 80 pictures and the run that was trained on it, by name and by order."""
    place = tmp_path_factory.mktemp("pictures")
    for number in range(80):
        draw(place / "pets" / ("cat" if number % 2 else "dog") / f"{number:02}.png", number)
    for split in ("hash", "order"):
        data = ("data=image_folder", f"data.root={place / 'pets'}", "data.batch_size=16", f"data.split={split}")
        train(*PLAIN, *data, "data.split_seed=1", "data.cache=off", f"hydra.run.dir={place / split}")
    return place


@pytest.fixture
def place(trained, tmp_path):
    """Copies, at the same path as the run knows."""
    for name in ("hash", "order"):
        shutil.copytree(trained / name, tmp_path / name)
    shutil.copytree(trained / "pets", tmp_path / "kept")
    yield tmp_path
    shutil.rmtree(trained / "pets")
    shutil.copytree(tmp_path / "kept", trained / "pets")


def ask(capsys, run, *more):
    arguments = (f"checkpoint={run}", "evaluator=classification", "device=cpu", *more)
    return lta_run(capsys, arguments, evaluate, "evaluate", lists=("evaluator", "checkpoint"), sweeps=False)


def test_nothing_is_said_where_nothing_has_changed(place, capsys):
    ended = ask(capsys, place / "hash")
    assert ended.status == 0, ended.err
    assert "changed" not in ended.out + ended.err
    assert json.loads((place / "hash" / "evaluations" / "classification.json").read_text())["pictures"]


def test_evaluate_says_what_was_added_missing_and_changed(trained, place, capsys):
    for number in range(30):
        draw(trained / "pets" / "cat" / f"_{number}.png", 1000 + number)
    (trained / "pets" / "dog" / "00.png").unlink()
    draw(trained / "pets" / "dog" / "02.png", 2000)
    ended = ask(capsys, place / "hash")
    assert ended.status == 0, ended.err
    (line,) = [line for line in ended.out.splitlines() if "changed" in line]
    assert "30 added (" in line
    assert "1 missing" in line
    assert "1 with another content (dog/02.png)" in line


def test_evaluate_refuses_where_test_pictures_were_trained_on(trained, place, capsys):
    draw(trained / "pets" / "cat" / "_.png", 1000)
    ended = ask(capsys, place / "order")
    assert_refused(ended, " test pictures (")
    assert "were in training or validation" in ended.err
    assert ask(capsys, place / "hash").status == 0
    several = ask(capsys, f"{place}/*")
    assert several.status == 0
    assert f"left out: classification of {place / 'order'}" in several.out


def test_a_picture_that_was_moved_between_folders_of_parts_is_found_by_its_content(tmp_path, capsys):
    for part, first, count in (("train", 0, 32), ("val", 100, 8), ("test", 200, 8)):
        for number in range(count):
            draw(
                tmp_path / "pets" / part / ("cat" if number % 2 else "dog") / f"{part}{number}.png",
                first + number,
            )
    data = ("data=image_folder", f"data.root={tmp_path / 'pets'}", "data.batch_size=16")
    train(*PLAIN, *data, f"hydra.run.dir={tmp_path / 'run'}")
    (tmp_path / "pets/train/cat/train1.png").rename(tmp_path / "pets/test/cat/new.png")
    assert_refused(ask(capsys, tmp_path / "run"), "1 of 9 test pictures (test/cat/new.png) were in training or validation")


@pytest.mark.parametrize("how", ["added", "missing", "with another content"])
def test_resume_refuses_other_pictures(trained, place, capsys, how):
    run = place / "hash"
    (run / "results.json").unlink()
    assert lta_run(capsys, (f"resume={run}",)).status == 0, "the same pictures"
    (run / "results.json").unlink()
    pictures = trained / "pets" / "cat"
    if how == "missing":
        (pictures / "01.png").unlink()
    else:
        draw(pictures / ("_.png" if how == "added" else "01.png"), 1000)
    assert_refused(lta_run(capsys, (f"resume={run}",)), f"the pictures have changed since the run began: 1 {how}")


def without_record(run: Path) -> Path:
    path = run / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    del content["hyper_parameters"]["pictures"]
    torch.save(content, path)
    return run


def test_an_old_checkpoint_goes_on_with_a_line(place, capsys):
    run = without_record(place / "hash")
    ended = ask(capsys, run)
    assert ended.status == 0, ended.err
    assert ended.out.count("lta can't check whether the data have changed") == 1
    (run / "results.json").unlink()
    assert lta_run(capsys, (f"resume={run}",)).status == 0


@pytest.mark.parametrize("record", [{"train": "no base64", "test": 3}, {"train": ""}, [1], "word", {"test": "AAAA"}])
def test_a_damaged_record_is_said_in_one_line(place, capsys, record):
    path = place / "hash" / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"]["pictures"] = record
    torch.save(content, path)
    assert_refused(ask(capsys, place / "hash"), "its record of the training data can't be read")


def test_a_record_has_no_other_characters():
    """Python's base64 leaves them out where it isn't told to look."""
    record = write_fingerprint({"test": np.arange(4).reshape(2, 2)})
    assert read_fingerprint(record)["test"].tolist() == [[0, 1], [2, 3]]
    with pytest.raises(ValueError, match="its record of the training data can't be read"):
        read_fingerprint({"test": "*" + record["test"]})


def test_load_needs_no_data(trained, place):
    shutil.rmtree(trained / "pets")
    (trained / "pets").mkdir()
    assert lta.load(place / "hash").class_names == ("cat", "dog")


def test_other_data_that_hold_training_pictures_are_refused_or_said(trained, place, capsys):
    other = ("data=image_folder", f"data.root={trained / 'pets'}", "data.split=order", "data.split_seed=5")
    assert_refused(ask(capsys, place / "hash", *other), "were in training or validation")
    ended = ask(capsys, place / "hash", *other, "data.on_shared=allow")
    assert ended.status == 0, ended.err
    assert "figures for these pictures do not say how well the network does on new ones" in ended.out
