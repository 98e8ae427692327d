"""Runs of several processes: the same experiment as one process, whoever starts them."""

import csv
import json
import os
import socket
import sys
from pathlib import Path

import processes
import pytest
import torch
from commands import TINY, command, environment
from omegaconf import OmegaConf

import lta
from lta.instantiate import build

OPTIONS = (
    *(argument for argument in TINY if argument != "trainer=cpu"),
    "trainer=ddp",
    "trainer.accelerator=cpu",
    "data.val_size=33",
    "data.test_size=13",
    "data.eval_batch_size=4",
)
"""Two processes have unequally many validation and test images, and batches."""


def run(program, cwd, **more):
    return processes.run(program, cwd=cwd, env={**environment(), **more}, timeout=300)


def rows(directory):
    with (directory / "metrics.csv").open(newline="") as file:
        return [{key: float(value or "nan") for key, value in row.items()} for row in csv.DictReader(file)]


def whole(directory):
    """What any run of several processes leaves: one of each."""
    assert len(json.loads((directory / "run.json").read_text())["starts"]) == 1
    assert len(list((directory / "attention").iterdir())) == len(rows(directory))
    results = json.loads((directory / "results.json").read_text())
    assert results["processes"] == 2
    wrong = results["test"]["error"] * 13 / 100
    assert wrong == pytest.approx(round(wrong), abs=1e-4), "13 images are 13, not 14"
    with (directory / "test_predictions.csv").open(newline="") as file:
        answers = list(csv.DictReader(file))
    assert [int(row["image"]) for row in answers] == list(range(13))
    assert sum(row["right"] == "0" for row in answers) == round(wrong)


def validation_loss(directory):
    """Of the network as it was kept, by one process."""
    data = build(OmegaConf.load(directory / "config.yaml").data)
    data.setup()
    with torch.no_grad():
        logits = lta.load(directory)(torch.from_numpy(data.val.images).permute(0, 3, 1, 2)).logits
    return torch.nn.functional.cross_entropy(logits, torch.from_numpy(data.val.labels)).item()


@pytest.mark.slow
def test_two_processes_are_one_run(tmp_path):
    options = ["trainer.devices=2", "logger=wandb", "logger.wandb.mode=offline", f"hydra.run.dir={tmp_path}/run"]
    options += ["data.train_size=640", "recipe.epochs=2", "trainer.precision=32-true"]  # as its loss is asked again
    ended = run(command(*OPTIONS, *options), tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "sync_dist" not in ended.stderr
    assert ended.stdout.count("device: cpu x 2") == 1
    assert "batch norm: statistics of each process apart" in ended.stdout
    whole(tmp_path / "run")
    assert len(list((tmp_path / "run" / "wandb").glob("offline-run-*"))) == 1
    assert "process 1 of 2" in (tmp_path / "run" / "run_rank1.log").read_text()
    assert "process 1 of 2" not in ended.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    found = json.loads((tmp_path / "run" / "results.json").read_text())["history"][-1]["val/loss"]
    assert found == pytest.approx(validation_loss(tmp_path / "run"), rel=1e-6), (
        "both processes validate with the running statistics that are kept"
    )


@pytest.mark.slow
def test_two_processes_compute_what_one_does(tmp_path):
    """All metrics and maps, in double precision and without batch statistics, dropout and augmentation."""
    options = ["recipe.epochs=2", "data.train_size=256", "augment=none", "compat=dp", "model.init.scorer=author"]
    for count in (1, 2):
        own = [f"trainer.devices={count}", "trainer.precision=64-true", f"hydra.run.dir={tmp_path}/{count}"]
        program = [sys.executable, "-m", "without_batchnorm", *OPTIONS, *options, *own]
        path = os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]])
        ended = run(program, tmp_path, PYTHONPATH=path)
        assert ended.returncode == 0, ended.stderr
    one, two = rows(tmp_path / "1"), rows(tmp_path / "2")
    assert len(one) == 2
    for alone, together in zip(one, two, strict=True):
        assert {"train/loss", "val/error", "attention/A/entropy", "attention/query_grad_norm/C"} < set(alone)
        for key in set(alone) - {"time/seconds"}:
            assert together[key] == pytest.approx(alone[key], abs=1e-5, rel=1e-5, nan_ok=True), key
    first, second = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]["AttentionMaps"]
        for name in "12"
    )
    for level, maps in first["maps"].items():
        assert len(maps) == 16
        assert torch.allclose(maps, second["maps"][level], atol=1e-5), level
    tested = [json.loads((tmp_path / name / "results.json").read_text())["test"] for name in "12"]
    assert tested[0] == pytest.approx(tested[1], abs=1e-5)


@pytest.mark.slow
def test_torchrun_starts_a_run_in_one_directory(tmp_path):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "lta.run"]
    ended = run([*torchrun, *OPTIONS], tmp_path)
    assert ended.returncode == 0, ended.stderr
    (directory,) = (tmp_path / "runs").iterdir()
    whole(directory)
    assert (directory / "run_rank1.log").is_file()


@pytest.mark.slow
def test_two_machines(tmp_path):
    """As their users start them: the same command on each, with NODE_RANK and the first one's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    options = [*OPTIONS, "trainer.devices=1", "trainer.num_nodes=2", f"hydra.run.dir={tmp_path}/run"]
    first = {**environment(), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    nodes = [processes.Started(command(*options), cwd=tmp_path, env={**first, "NODE_RANK": node}) for node in "01"]
    assert [node.wait(300) for node in nodes] == [0, 0], [node.stderr for node in nodes]
    assert "device: cpu x 1 on each of 2 nodes" in nodes[0].stdout
    assert "test error" not in nodes[1].stdout + nodes[1].stderr
    whole(tmp_path / "run")
    assert (tmp_path / "run" / "run_node1_rank0.log").is_file()


@pytest.mark.slow
def test_what_several_processes_can_get_wrong(tmp_path):
    for options, says in (
        (["trainer.devices=auto"], "trainer.devices=auto means all GPUs, but there is none"),
        (["trainer.devices=3"], "data.batch_size=32 must be a positive multiple of the 3 processes"),
        (["trainer.devices=2", "trainer.sync_batchnorm=true"], "trainer.sync_batchnorm=true needs GPUs"),
        (["trainer.devices=2", "data.test_size=1"], "test has 1 image for 2 processes, and each needs at least one"),
    ):
        if torch.cuda.is_available() and "devices=3" not in options[0]:
            continue
        ended = run(command(*OPTIONS, *options), tmp_path)
        assert ended.returncode == 1
        (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
        assert says in line
        assert "Traceback" not in ended.stderr
