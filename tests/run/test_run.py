"""Whole runs, as a user starts them."""

import csv
import json
import os
import signal
import time

import processes
import pytest
import torch
from commands import TINY, command, environment, lta_run, read_wandb, train
from PIL import Image

import lta
from lta.training.flops import count_step_flops


def start(*arguments, cwd, **options):
    """A process of its own, one thread: bit for bit the same on any number of cores."""
    return processes.run(command(*arguments), cwd=cwd, env=environment(), check=True, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(directory, what it printed) of a three-epoch run that logs to W&B offline."""
    directory = tmp_path_factory.mktemp("runs") / "run"
    ended = start(
        *TINY,
        "recipe.epochs=3",
        "trainer.precision=32-true",  # what is tested here is asked again in it
        "logger=wandb",
        "logger.wandb.mode=offline",
        f"hydra.run.dir={directory}",
        cwd=directory.parent,
    )
    return directory, ended.stdout


def read_rows(directory):
    with (directory / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_directory_holds_all_that_a_run_leaves(finished):
    directory, _ = finished
    config = (directory / "config.yaml").read_text()
    assert "${" not in config, "the saved configuration is resolved"
    record = json.loads((directory / "run.json").read_text())
    (begin,) = record["starts"]
    assert f"hydra.run.dir={directory}" in begin["command"]
    assert begin["libraries"]["torch"] == torch.__version__.split("+")[0]
    assert {"git", "machine", "python", "time"} <= set(begin)
    chosen = {"model": "vgg_att3", "compat": "pc", "head": "concat", "data": "digit_scenes", "experiment": "quickstart"}
    assert chosen.items() <= begin["choices"].items()
    results = json.loads((directory / "results.json").read_text())
    assert 0 <= results["test"]["error"] <= 100
    assert results["steps"] == 6
    assert results["training_flops"] == 6 * count_step_flops(lta.load(directory), 32, 32, 32) > 1e9
    assert set(results["roles"]["levels"]) == {"A", "B", "C"}
    answer = json.loads((directory / "evaluations" / "roles.json").read_text())
    assert answer["figures"] == results["roles"], "roles is an evaluator like any other, asked by default"
    assert answer["question"]["epoch"] == 2
    rows = read_rows(directory)
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert results["history"][-1]["val/error"] == pytest.approx(float(rows[-1]["val/error"]), rel=1e-5)
    assert {"train/loss", "val/error", "val/loss", "lr", "attention/B/entropy", "attention/query_grad_norm/C"} <= set(
        rows[0]
    )
    assert {path.name for path in (directory / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    pictures = sorted(path.name for path in (directory / "attention").iterdir())
    assert pictures == ["epoch_0000.png", "epoch_0001.png", "epoch_0002.png"]
    assert Image.open(directory / "attention" / pictures[0]).width > 300


def test_the_summary_says_what_matters(finished):
    directory, out = finished
    assert "test error" in out
    assert "FLOP in 6 steps, forward and backward" in out
    assert "inert at A, B, C" in out
    assert "main object" in out
    assert "shuffled maps" in out
    assert "centre prior" in out
    assert str(directory / "checkpoints" / "last.ckpt") in out
    assert "wandb sync" in out
    assert "== roles of" not in out, "nobody asked for the long answer"
    for line in ("results", "metrics", "checkpoint", "pictures", "W&B offline run"):
        path = next(row.split(maxsplit=line.count(" ") + 1)[-1] for row in out.splitlines() if row.startswith(line))
        assert os.path.exists(path), path


def test_the_offline_wandb_run_read_back(finished):
    directory, _ = finished
    offline, records = read_wandb(directory)
    rows = [record["history"]["item"] for record in records if record["type"] == "history"]
    epochs = [row for row in rows if "train/loss" in row]
    assert [row["epoch"] for row in epochs] == [0, 1, 2]
    for row in epochs:
        assert "val/error" in row
        assert row["attention/panel.count"] == 16, "metrics and pictures of an epoch share a row"
    pictures = list((offline / "files" / "media" / "images" / "attention").glob("panel_*.png"))
    assert len(pictures) == 3 * 16
    (tested,) = [row for row in rows if "test/error" in row]
    assert tested["epoch"] == 2
    assert not [key for row in rows for key in row if key.startswith("evaluation/")], "nobody asked for tables there"


def test_checkpoints_hold_plain_containers_only(finished):
    directory, _ = finished
    for name in ("last", "best"):
        content = torch.load(directory / "checkpoints" / f"{name}.ckpt", weights_only=True)
        assert content["hyper_parameters"]["class_names"] == [str(digit) for digit in range(10)]


def test_load_gives_the_network_that_was_tested(finished):
    from lta.data.digit_scenes import make_scenes

    directory, _ = finished
    classifier = lta.load(directory)
    split = make_scenes("test", 32)
    with torch.no_grad():
        output = classifier(torch.from_numpy(split.images).permute(0, 3, 1, 2))
    saved = torch.load(directory / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(tensor, saved[name]) for name, tensor in classifier.state_dict().items())
    error = 100 * (output.logits.argmax(1) != torch.from_numpy(split.labels)).float().mean().item()
    results = json.loads((directory / "results.json").read_text())
    assert error == pytest.approx(results["test"]["error"])
    assert output.attn["A"].shape == (32, 32, 32)


def test_a_finished_run_is_not_run_again(finished, capsys):
    directory, _ = finished
    before = (directory / "checkpoints" / "last.ckpt").read_bytes()
    ended = lta_run(capsys, [f"resume={directory}"])
    assert ended.status == 0
    assert "this run is complete" in ended.out
    assert (directory / "checkpoints" / "last.ckpt").read_bytes() == before


@pytest.mark.parametrize("model", ["vgg", "vgg_late", "vgg_gap"])
def test_the_controls_run(capsys, tmp_path, model):
    ended = lta_run(capsys, [*TINY, f"model={model}", f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 0, ended.err
    assert "test error" in ended.out
    assert ("main object" in ended.out) == (model == "vgg_gap")


@pytest.mark.parametrize(
    "options",
    [
        ["model=vgg_att1", "compat=dp"],
        ["model=vgg_att2", "compat=additive", "head=indep"],
        ["compat=scaled_dp"],
        ["model.prune_inert_query=true"],
        ["model.normaliser=sigmoid"],
        ["data.val_size=0"],
        ["trainer.precision=bf16-mixed"],
        ["test_checkpoint=best"],
        ["logger=tensorboard"],
        ["logger=csv"],
        ["model.dropout=1"],
        ["augment=none"],
        ["callbacks.attention_maps=null", "callbacks.telemetry=null", "callbacks.bar=null"],
    ],
    ids=" ".join,
)
def test_choices_compose_and_run(capsys, tmp_path, options):
    kept = [
        argument for argument in TINY if argument.partition("=")[0] not in {option.partition("=")[0] for option in options}
    ]
    ended = lta_run(capsys, [*kept, *options, f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 0, ended.err
    (row,) = read_rows(tmp_path / "run")
    assert float(row["train/loss"]) > 0
    assert ("val/error" in row) == ("data.val_size=0" not in options)
    assert "nan" not in (tmp_path / "run" / "metrics.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ["model=vgg_att3_upprojecting", "compat=dp", "recipe.average_gradients=true"],
        ["model=vgg_pan"],
        ["model=vgg_progressive_ll"],
        ["recipe=author", "trainer.precision=64-true"],
        ["schedule=author"],
        ["model=vgg_pan", "model.levels=[A,C]", "model.gates=[A]"],
        ["recipe=author", "trainer.precision=bf16-mixed"],
        ["model=vgg_att2_two_globals", "head=indep", "head.combine=sum_ce"],
        ["head=indep", "head.combine=average"],
        ["model=rn_att2", "model.depth=11", "model.width=0.25"],
        ["recipe=author", "data.val_size=0"],
        ["recipe=author", "schedule=author_resnet", "schedule.changes=[[1, 0.5]]", "preprocess=gcn_zca"],
    ],
    ids=" ".join,
)
def test_the_family_and_its_recipes_compose_and_run(capsys, tmp_path, options):
    test_choices_compose_and_run(capsys, tmp_path, options)


def test_the_authors_look_at_the_test_set_is_apart_from_all_else(capsys, tmp_path):
    directory = tmp_path / "run"
    kept = [argument for argument in TINY if argument != "data.val_size=32"]
    ended = lta_run(capsys, [*kept, "recipe=author", "recipe.epochs=2", f"hydra.run.dir={directory}"])
    assert ended.status == 0, ended.err
    assert "looked at after each epoch (test_each_epoch/error); nothing was chosen by it" in ended.out
    assert "averaged at junctions" in ended.out
    rows = read_rows(directory)
    results = json.loads((directory / "results.json").read_text())
    assert float(rows[-1]["test_each_epoch/error"]) == pytest.approx(results["test"]["error"])
    assert {path.name for path in (directory / "checkpoints").iterdir()} == {"last.ckpt", "previous.ckpt"}
    assert float(rows[0]["attention/B/entropy"]) > 0, "maps of training images, where there is no validation set"
    assert {path.name for path in (directory / "checkpoints").iterdir()} == {"last.ckpt", "previous.ckpt"}


def test_rates_and_momentum_by_epoch(capsys, tmp_path, monkeypatch):
    """Two steps an epoch, halved and the momentum forgotten at the start of the second and third of four epochs."""
    forgotten = []
    step = torch.optim.SGD.step

    def spy(self, *arguments, **options):
        forgotten.append(not any(state.get("momentum_buffer") is not None for state in self.state.values()))
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.SGD, "step", spy)
    kept = [argument for argument in TINY if not argument.startswith("recipe")]
    changes = ["schedule=author_resnet", "schedule.changes=[[2,0.5],[3,0.5]]", "recipe.lr=0.08", "recipe.lr_batch=0"]
    ended = lta_run(capsys, [*kept, *changes, "recipe.epochs=4", f"hydra.run.dir={tmp_path}/run"])
    assert ended.status == 0, ended.err
    assert [float(row["lr"]) for row in read_rows(tmp_path / "run")] == pytest.approx([0.08, 0.04, 0.02, 0.02])
    assert forgotten == [True, False, True, False, True, False, False, False]


def test_with_a_validation_set_maps_and_metrics_are_its_own(capsys, tmp_path):
    """The look at the test set changes nothing of what is said of the validation set."""
    for name, look in (("with", "true"), ("without", "false")):
        assert lta_run(capsys, [*TINY, f"test_each_epoch={look}", f"hydra.run.dir={tmp_path}/{name}"]).status == 0
    (looked,), (plain,) = read_rows(tmp_path / "with"), read_rows(tmp_path / "without")
    assert looked.pop("test_each_epoch/error")
    assert looked.pop("test_each_epoch/loss")
    assert looked.pop("test_each_epoch/balanced_error")
    looked.pop("time/seconds"), plain.pop("time/seconds")
    assert looked == plain


def test_a_checkpoint_of_another_format_is_named(tmp_path):
    torch.save({"hyper_parameters": {"config": {}, "class_names": []}}, tmp_path / "old.ckpt")
    with pytest.raises(ValueError, match=r"old\.ckpt was written by another version of lta \(format 1"):
        lta.load(tmp_path / "old.ckpt")


AUTHORS = (
    "recipe=author",
    "schedule=author_resnet",
    "schedule.changes=[[2, 0.5], [4, 0.5]]",
    "augment=flip_half_crop",
    "preprocess=gcn_zca",
    "preprocess.cache=off",
)


AIR = ("recipe=air", "model=air_att2", "model.dropout=0.2", "augment=alternating", "recipe.first_bias_epochs=1")


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [AUTHORS, AIR], ids=["author", "air"])
def test_a_killed_run_resumes_to_the_same_weights_bit_for_bit(tmp_path, recipe):
    """SIGKILL in the middle of an epoch; the rest is trained by resume=, with dropout and augmentation on.

    With recipe=fast: test_a_run_killed_at_twenty_random_moments_ends_with_the_same_weights.
    """
    options = [*TINY, "recipe.epochs=4", "data.train_size=640", "model.dropout=1", "logger=wandb"]
    options += ["logger.wandb.mode=offline", *recipe]
    start(*options, f"hydra.run.dir={tmp_path}/whole", cwd=tmp_path)
    running = processes.Started(command(*options, f"hydra.run.dir={tmp_path}/killed"), cwd=tmp_path, env=environment())
    metrics = tmp_path / "killed" / "metrics.csv"
    while not (metrics.is_file() and len(metrics.read_text().splitlines()) >= 3):  # two epochs are complete
        assert running.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    time.sleep(0.3)
    running.send_signal(signal.SIGKILL)
    running.wait()
    ended = start(f"resume={tmp_path}/killed", cwd=tmp_path)
    assert "test error" in ended.stdout

    one, other = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True) for name in ("whole", "killed")
    )
    assert other["epoch"] == 3
    for name, tensor in one["state_dict"].items():
        assert torch.equal(tensor, other["state_dict"][name]), name
    whole, killed = read_rows(tmp_path / "whole"), read_rows(tmp_path / "killed")
    assert [row["epoch"] for row in killed] == ["0", "1", "2", "3"]
    for row, same in zip(whole, killed, strict=True):
        assert {k: v for k, v in row.items() if k != "time/seconds"} == {
            k: v for k, v in same.items() if k != "time/seconds"
        }
    assert len(json.loads((tmp_path / "killed" / "run.json").read_text())["starts"]) == 2
    fragments = [path.name for path in (tmp_path / "killed" / "wandb").glob("offline-run-*")]
    assert len(fragments) == 2
    assert len({name.rpartition("-")[2] for name in fragments}) == 1, "both parts are one W&B run"


@pytest.mark.slow
def test_the_same_command_gives_the_same_weights(tmp_path):
    """A process of its own, and this one, which has run others before."""
    start(*TINY, "model.dropout=1", f"hydra.run.dir={tmp_path}/one", cwd=tmp_path)
    train(*TINY, "model.dropout=1", f"hydra.run.dir={tmp_path}/two")
    one, two = (torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True) for name in ("one", "two"))
    assert all(torch.equal(tensor, two["state_dict"][name]) for name, tensor in one["state_dict"].items())


@pytest.mark.slow
def test_the_quickstart_learns_and_attends_to_the_object(tmp_path):
    """What `make run` does, with the bars it is held to; at most four minutes on two idle cores, not asserted here."""
    directory = tmp_path / "run"
    options = ["experiment=quickstart", "logger.wandb.mode=offline", f"hydra.run.dir={directory}"]
    # One thread: beside other tests, two that wait for one another take three times as long.
    processes.run(command(*options), cwd=tmp_path, env=environment(), check=True)
    results = json.loads((directory / "results.json").read_text())
    assert results["test"]["error"] <= 10
    chosen = results["roles"]["levels"][results["roles"]["level"]]
    main = chosen["density"]["main"]["value"]
    assert main >= 4
    assert main >= 2 * chosen["shuffled"]["main"]["value"]
    assert main >= 2 * chosen["density"]["side"]["value"]
