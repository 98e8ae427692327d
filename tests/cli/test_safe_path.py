"""Folders that somebody may have sent are no places to import from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import TINY

import lta
from lta.cli.safe_path import clean_import_path

ROOT = Path(lta.__file__).resolve().parents[1]


@pytest.fixture
def path(monkeypatch, tmp_path):
    """sys.path as `python -m` makes it in a folder of its own, with folders for `entries`."""

    def make(*entries: str, here: str = "here") -> list[str]:
        folder = tmp_path / here
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [str(folder), *(str(tmp_path / entry) for entry in entries), sys.prefix, str(ROOT)])
        return sys.path

    return make


def names(tmp_path):
    return [os.path.relpath(entry, tmp_path) for entry in sys.path if entry.startswith(str(tmp_path))]


def test_the_current_folder_goes_and_the_rest_stays(path, tmp_path):
    path("elsewhere", "")
    clean_import_path(["seed=1"])
    assert names(tmp_path) == ["elsewhere", "."]
    assert sys.path[-2:] == [sys.prefix, str(ROOT)]


def test_an_empty_entry_is_the_current_folder(path, monkeypatch):
    monkeypatch.setattr(sys, "path", ["", *path()])
    clean_import_path([])
    assert sys.path == [sys.prefix, str(ROOT)]


@pytest.mark.parametrize("flag", ["-cd=mine", "--config-dir", "trust=mine.Cosine"])
def test_it_stays_where_own_code_is_named(path, tmp_path, flag):
    path()
    clean_import_path([flag])
    assert names(tmp_path) == ["here"]


@pytest.mark.parametrize("key", ["checkpoint", "resume", "images", "data.root"])
@pytest.mark.parametrize(
    "value", [".", "..", "[.]", "../here", "../here/last.ckpt", "'..'", "other,.", "*", "../*/last.ckpt"]
)
def test_own_code_in_a_folder_that_is_read_is_not(path, tmp_path, key, value):
    path()
    Path("last.ckpt").touch()
    clean_import_path(["-cd", "mine", f"{key}={value}"])
    assert names(tmp_path) == []


def test_where_lta_itself_is_imported_from_stays(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", [str(ROOT), "/nowhere"])
    clean_import_path(["checkpoint=."])
    assert sys.path == [str(ROOT), "/nowhere"]


@pytest.mark.parametrize("key", ["checkpoint", "resume", "compare", "hydra.run.dir", "evaluator.transfer.baseline"])
def test_what_lies_in_a_run_goes(path, tmp_path, key):
    for folder in ("run/checkpoints", "run/lib", "running", "here"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "run" / "checkpoints" / "last.ckpt").touch()
    for value in (tmp_path / "run", tmp_path / "run" / "checkpoints" / "last.ckpt"):
        path("run", "run/lib", "running")
        clean_import_path(["trust=mine.Cosine", f"{key}={value}"])
        assert names(tmp_path) == ["here", "running"]


def test_what_lies_among_data_stays(path, tmp_path):
    path("data/site-packages")
    (tmp_path / "data").mkdir()
    clean_import_path([f"data.root={tmp_path / 'data'}"])
    assert names(tmp_path) == ["data/site-packages"]


EVIL = "import pathlib; pathlib.Path('RAN').touch()\n"


@pytest.fixture
def sent(tmp_path):
    """A folder that looks like a run, with code under every name that lta or a library may import."""
    folder = tmp_path / "sent"
    for name in (
        "hydra.py",
        "torch.py",
        "wandb.py",
        "yaml.py",
        "omegaconf.py",
        "numpy.py",
        "sitecustomise.py",
        "pathlib.py",
        "hydra_plugins/x/evil.py",
        "evil/__init__.py",
        "evil/conf/compat/evil.yaml",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("_target_: evil.Evil\n" if name.endswith("yaml") else EVIL)
    (folder / "hydra_plugins" / "x" / "__init__.py").write_text(EVIL)
    about = folder / "evil-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[lta.conf]\nevil = evil\n[hydra]\nevil = evil\n")
    (folder / "config.yaml").write_text("model: {_target_: evil.Evil}\n")
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--help"],
        ["run", "--cfg", "job"],
        ["run", "resume=."],
        ["run", "compat=evil"],
        ["evaluate", "checkpoint=.", "evaluator=classification"],
        ["apply", "checkpoint=.", "images=.", "effect=autoblur"],
        ["export", "checkpoint=."],
        ["demo", "--help"],
        ["demo", "checkpoint=.", "port=0"],
        ["report", "."],
        ["dashboard", "--dry-run"],
        ["run", "-cd", ".", "resume=."],
        ["evaluate", "trust=evil.Evil", "checkpoint=.", "evaluator=classification"],
    ],
    ids=" ".join,
)
def test_no_command_runs_what_lies_in_the_folder_it_is_given_in(sent, command):
    """Standard library modules that Python imports before lta, for `-m` itself, are out of our reach."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": ""}
    ended = subprocess.run(
        [sys.executable, "-m", f"lta.{command[0]}", *command[1:]], cwd=sent, env=environment, capture_output=True, text=True
    )
    assert not (sent / "RAN").exists(), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_training_run_in_such_a_folder_runs_nothing_of_it(sent):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-m", "lta.run", *TINY, "logger=wandb", "logger.wandb.mode=offline", "hydra.run.dir=out"]
    subprocess.run(run, cwd=sent, env=environment, check=True, capture_output=True)
    assert not (sent / "RAN").exists()
