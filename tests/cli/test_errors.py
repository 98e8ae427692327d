"""Errors in one line: which argument a file or a key came from, where it can be known."""

import errno
import os
import sys
from pathlib import Path

import pytest

from lta.cli.errors import describe_error
from lta.runtime.files import write_text


def said(monkeypatch, arguments, error, command="config"):
    monkeypatch.setattr(sys, "argv", ["lta", *arguments])
    return describe_error(error, command)


@pytest.mark.parametrize(
    ("arguments", "file", "says"),
    [
        (["out=pictures/new"], "pictures/new", "out=pictures/new: Permission denied"),
        (["out=pictures/new"], "pictures/new/a.png", "out=pictures/new: pictures/new/a.png: Permission denied"),
        (
            ["data.root=/data", "hydra.run.dir=/data/runs/x"],
            "/data/runs/x/run.log",
            "hydra.run.dir=/data/runs/x: /data/runs/x/run.log: Permission denied",
        ),
        (["images=photo", "seed=1", "model=r", "~model=r", "-m"], "photos/new", "photos/new: Permission denied"),
        (["hydra.run.dir=/"], "/proc/x", "/proc/x: Permission denied"),
        (["images=."], "effects/a.png", "effects/a.png: Permission denied"),
    ],
)
def test_a_file_is_named_with_the_argument_that_it_is_of(monkeypatch, arguments, file, says):
    assert said(monkeypatch, arguments, PermissionError(13, "Permission denied", file)) == says


def test_a_file_by_its_absolute_name(monkeypatch):
    error = PermissionError(13, "Permission denied", str(Path.cwd() / "new" / "a"))
    assert said(monkeypatch, ["out=new"], error) == f"out=new: {Path.cwd()}/new/a: Permission denied"


@pytest.mark.parametrize("error", [OSError("no file is named"), OSError(5, "Input/output error"), OSError(5, "lost", "")])
def test_an_error_without_a_file(monkeypatch, error):
    assert said(monkeypatch, ["out=new"], error) == str(error)


def test_a_key_that_nothing_takes_is_that_of_the_error_or_of_the_command_line(monkeypatch):
    def taken(text, *arguments):
        return said(monkeypatch, arguments, TypeError(text))

    unexpected = "Net() got an unexpected keyword argument 'depth'"
    owners = "air, air_att1, air_att2, air_att3, air_gap, air_wide, air_wide_att3, air_wide_gap, rn164, rn_att1, rn_att2"
    assert taken(unexpected, "+model.depth=3") == f"there is no setting model.depth: model={owners} have it"
    assert taken(unexpected, "+model.odd.depth.more=3").startswith("there is no setting model.odd.depth")
    assert taken(f"{unexpected}\nfull_key: model.trunk", "+model.depth=3").startswith(
        "there is no setting model.trunk.depth"
    )
    assert taken(unexpected, "model.width=3", "+model.deptht=3") == unexpected, "a library's own: its function stays named"


def test_what_is_said_of_several_values_depends_on_the_command(monkeypatch):
    error = ValueError("Ambiguous value for argument 'checkpoint=a,b'\n1. To use it as a list, use key=[value1,value2]")
    assert (
        said(monkeypatch, [], error, "export")
        == "checkpoint=a,b gives several values where one is expected (a list is written [one,other])"
    )
    assert "a sweep over them needs -m" in said(monkeypatch, [], error)


def test_a_full_disk_is_named_with_the_file(tmp_path, monkeypatch):
    def refuse(number):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space") as caught:
        write_text(tmp_path / "metrics.csv", "loss")
    said = describe_error(caught.value)
    assert said.startswith(f"{tmp_path / 'metrics.csv'}: No space left on device (the disk mounted at /")
    assert not list(tmp_path.iterdir())
