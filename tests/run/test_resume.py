"""Runs that were cut off, by anything, and go on from a whole checkpoint."""

import csv
import random
import resource
import signal
import subprocess
import time
from functools import cache

import processes
import pytest
import torch
from commands import TINY, command, environment, lta_run, train
from networks import composed

from lta.cli.saved import PARTS
from lta.inference.checkpoint import find_resume_checkpoint, read_checkpoint
from lta.instantiate import plain
from lta.runtime import run_directory
from lta.training.checkpoint_io import WholeFiles


def rows(directory):
    with (directory / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same_weights(one, other):
    first, second = (torch.load(d / "checkpoints" / "last.ckpt", weights_only=True) for d in (one, other))
    assert first["epoch"] == second["epoch"]
    for name, tensor in first["state_dict"].items():
        assert torch.equal(tensor, second["state_dict"][name]), name


# Checkpoints.


@cache
def config():
    cfg = composed("experiment=quickstart")
    return {part: plain(cfg[part]) for part in PARTS} | {"seed": 0}


def checkpoint(epoch):
    hparams = {"config": config(), "class_names": ["cat"], "image_size": [32, 32], "format": 2}
    return {"hyper_parameters": hparams, "epoch": epoch, "state_dict": {"x": torch.ones(1000) * epoch}}


@pytest.fixture
def saved(tmp_path):
    """A run directory with two checkpoints, as training writes them."""
    writer = WholeFiles(run_directory.PREVIOUS)
    for epoch in (0, 1):
        writer.save_checkpoint(checkpoint(epoch), tmp_path / "checkpoints" / "last.ckpt")
        writer.save_checkpoint(checkpoint(epoch), tmp_path / "checkpoints" / "best.ckpt")
    return tmp_path


def test_the_checkpoint_before_the_last_is_kept(saved):
    assert sorted(path.name for path in (saved / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt", "previous.ckpt"]
    assert read_checkpoint(saved / "checkpoints" / "previous.ckpt")["epoch"] == 0
    assert find_resume_checkpoint(saved).path == saved / "checkpoints" / "last.ckpt"


def cut(path):
    path.write_bytes(path.read_bytes()[:1000])


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def misname(path):
    """A letter of a file's name in the archive's directory is no letter any more."""
    content = bytearray(path.read_bytes())
    content[content.rfind(b"/", content.rfind(b"PK\x01\x02")) - 2] = 0xC5
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [cut, empty, flip, misname])
def test_a_spoilt_last_checkpoint_is_set_aside(saved, caplog, spoil):
    last = saved / "checkpoints" / "last.ckpt"
    spoil(last)
    spoilt = last.read_bytes()
    assert find_resume_checkpoint(saved).path == last.with_name("previous.ckpt")
    assert "last.ckpt is not a readable checkpoint" in caplog.text
    assert "continuing from previous.ckpt, one epoch earlier" in caplog.text
    assert last.with_name("last.ckpt.broken").read_bytes() == spoilt
    assert find_resume_checkpoint(saved).path == last.with_name("previous.ckpt"), "also after the next cut"
    WholeFiles(run_directory.PREVIOUS).save_checkpoint(checkpoint(1), last)
    assert find_resume_checkpoint(saved).path == last
    assert read_checkpoint(last.with_name("previous.ckpt"))["epoch"] == 0, "the broken one takes nobody's place"


def test_cut_off_between_the_two_renamings(saved):
    (saved / "checkpoints" / "last.ckpt").rename(saved / "checkpoints" / "last.ckpt.part")
    assert find_resume_checkpoint(saved).path.name == "previous.ckpt"


def test_both_spoilt_is_said(saved):
    for name in ("last.ckpt", "previous.ckpt"):
        cut(saved / "checkpoints" / name)
    with pytest.raises(ValueError, match=r"previous\.ckpt is not a readable checkpoint"):
        find_resume_checkpoint(saved)
    assert (saved / "checkpoints" / "last.ckpt").is_file(), "nothing is moved where nothing can take its place"


def test_no_checkpoint_yet(tmp_path):
    assert find_resume_checkpoint(tmp_path) is None


@pytest.mark.parametrize("epochs", [1, 2])
def test_without_a_last_checkpoint_nothing_begins_again_over_what_there_is(saved, epochs):
    """callbacks.last_checkpoint=null; a run may have been cut off between its first row and its first checkpoint."""
    for name in ("last.ckpt", "previous.ckpt"):
        (saved / "checkpoints" / name).unlink()
    (saved / "metrics.csv").write_text("epoch,lr\n" + "0,0.1\n" * epochs)
    if epochs == 1:
        assert find_resume_checkpoint(saved) is None
    else:
        with pytest.raises(ValueError, match=r"has trained 2 epochs, but has no last.ckpt to continue from"):
            find_resume_checkpoint(saved)


def test_a_checkpoint_that_does_not_fit_leaves_the_last_one(saved, monkeypatch):

    def full(content, file):
        file.write(b"half")
        raise RuntimeError("PytorchStreamWriter failed writing file\nmore")

    before = (saved / "checkpoints" / "last.ckpt").read_bytes()
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match=r"last\.ckpt could not be written: PytorchStreamWriter failed writing file$"):
        WholeFiles(run_directory.PREVIOUS).save_checkpoint(checkpoint(2), saved / "checkpoints" / "last.ckpt")
    assert (saved / "checkpoints" / "last.ckpt").read_bytes() == before
    assert not list((saved / "checkpoints").glob("*.part")), "on a full disk the half-written file must not stay"


# Whole runs.


def test_an_unwritable_directory_ends_in_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    ended = lta_run(capsys, [*TINY, f"hydra.run.dir={tmp_path}/file/run"])
    assert ended.status == 1
    assert ended.err.count("\n") == 1
    assert "file/run" in ended.err


@pytest.mark.slow
def test_a_full_disk_ends_in_one_line_and_the_run_goes_on_later(tmp_path):
    """No file may grow beyond a limit: as on a full disk, writing fails in the middle."""
    options = command(*TINY, "recipe.epochs=2", f"hydra.run.dir={tmp_path}/run", "resume=auto")
    room = 200_000

    def little_room():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    ended = subprocess.run(options, cwd=tmp_path, env=environment(), capture_output=True, text=True, preexec_fn=little_room)
    assert ended.returncode == 1
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert "checkpoints/" in line
    assert "Traceback" not in ended.stderr
    assert not list((tmp_path / "run" / "checkpoints").iterdir())
    ended = processes.run(options, cwd=tmp_path, env=environment(), check=True)
    assert "test error" in ended.stdout
    assert [row["epoch"] for row in rows(tmp_path / "run")] == ["0", "1"]
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").stat().st_size > room


@pytest.mark.slow
def test_a_run_goes_on_from_a_spoilt_checkpoint_to_the_same_weights(tmp_path):
    options = [*TINY, "recipe.epochs=3", "model.dropout=1"]
    train(*options, f"hydra.run.dir={tmp_path}/whole")
    program = (*options, f"hydra.run.dir={tmp_path}/spoilt", "resume=auto")
    train(*program)
    (tmp_path / "spoilt" / "results.json").unlink()
    cut(tmp_path / "spoilt" / "checkpoints" / "last.ckpt")
    assert "continuing from previous.ckpt" in train(*program)
    same_weights(tmp_path / "whole", tmp_path / "spoilt")
    assert [row["epoch"] for row in rows(tmp_path / "spoilt")] == ["0", "1", "2"]


KILLS = 20


@pytest.mark.slow
def test_a_run_killed_at_twenty_random_moments_ends_with_the_same_weights(tmp_path):
    """SIGKILL from the start of the program to its end, and the same command again, until it is through."""
    options = [*TINY, "recipe.epochs=10", "data.train_size=320", "model.dropout=1", "augment.cutout=6"]
    whole = tmp_path / "whole"
    processes.run(command(*options, f"hydra.run.dir={whole}"), cwd=tmp_path, env=environment(), check=True)
    took = float(rows(whole)[-1]["time/seconds"])
    moments = random.Random(0)
    directory = tmp_path / "killed"
    program = command(*options, f"hydra.run.dir={directory}", "resume=auto")
    reached = set()
    for _ in range(KILLS):
        running = processes.Started(program, cwd=tmp_path, env=environment())
        while "device" not in running.stdout:
            assert running.poll() is None, f"the run did not start again: {running.stderr}"
            time.sleep(0.01)
        try:
            # Some in the preparation, most in the training: on average a third of it is done before the kill.
            running.wait(moments.uniform(0, took / 3))
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
        else:
            assert running.returncode == 0
        running.wait()
        reached.add(len(rows(directory)) if (directory / "metrics.csv").is_file() else 0)
        if (directory / "results.json").is_file():
            (directory / "results.json").unlink()  # through: kill it in its test as well
    processes.run(program, cwd=tmp_path, env=environment(), check=True)
    assert len(reached) >= 3, f"the kills did not spread over the run: {reached}"
    same_weights(whole, directory)
    assert [row["epoch"] for row in rows(directory)] == [str(epoch) for epoch in range(10)]
    for row, same in zip(rows(whole), rows(directory), strict=True):
        row.pop("time/seconds"), same.pop("time/seconds")
        assert row == same
