"""`lta COMMAND ...`: what there is, and that it starts what `python -m lta.COMMAND ...` starts, and its children right."""

import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import processes
import pytest
from commands import TINY, environment

import lta

SCRIPT = Path(sysconfig.get_path("scripts")) / "lta"
PACKAGE = Path(lta.__file__).parent


def start(program, *arguments, cwd):
    return processes.run([sys.executable, *program, *arguments], cwd=cwd, env=environment(), timeout=600)


BY_MODULE = ("-m", "lta")
BY_SCRIPT = (str(SCRIPT),)


@pytest.mark.parametrize("program", [BY_MODULE, BY_SCRIPT], ids=["python -m lta", "lta"])
def test_alone_it_says_what_there_is(tmp_path, program):
    ended = start(program, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    listed = [line.split(maxsplit=1) for line in ended.stdout.splitlines() if re.match("  [a-z]", line)]
    assert [name for name, _ in listed] == sorted(path.parent.name for path in PACKAGE.glob("*/__main__.py"))
    assert all(len(does) > 20 for _, does in listed)
    assert all(len(line) < 120 for line in ended.stdout.splitlines())
    assert start(program, "--help", cwd=tmp_path).stdout == ended.stdout


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("evaluat", "error: lta has no command evaluat (did you mean evaluate?); lta --help lists them"),
        ("xyzzy", "error: lta has no command xyzzy; lta --help lists them"),
        ("layers", "error: lta has no command layers; lta --help lists them"),
        ("model=vgg", "error: lta has no command model=vgg; lta --help lists them"),
    ],
)
def test_an_unknown_command_is_one_line(tmp_path, name, says):
    ended = start(BY_SCRIPT, name, cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"{says}\n")


def test_it_tells_its_version(tmp_path):
    assert start(BY_SCRIPT, "--version", cwd=tmp_path).stdout == f"lta {lta.__version__}\n"


@pytest.mark.parametrize("name", ["run", "report"])
def test_a_command_is_the_same_by_both_names(tmp_path, name):
    ended = start(BY_SCRIPT, name, "--help", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == start(("-m", f"lta.{name}"), "--help", cwd=tmp_path).stdout


def test_a_command_that_fails_gives_its_status(tmp_path):
    ended = start(BY_SCRIPT, "run", "recipe.epoch=5", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize("program", [BY_MODULE, BY_SCRIPT], ids=["python -m lta", "lta"])
def test_a_module_in_the_current_folder_is_not_taken_for_a_library(tmp_path, program):
    (tmp_path / "hydra.py").write_text("print('taken')")
    command = [sys.executable, *program, "run", "--help"]
    ended = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "taken" not in ended.stdout


def results(directory):
    return json.loads((directory / "results.json").read_text())


TWO = [argument for argument in TINY if argument != "trainer=cpu"] + ["trainer=ddp", "trainer.accelerator=cpu"]


@pytest.fixture
def own_code(tmp_path):
    """A module in the current directory, and a folder of yaml whose `compat=mine` names it."""
    (tmp_path / "mine.py").write_text("from lta.layers import Uniform\n\n\nclass Even(Uniform):\n    pass\n")
    (tmp_path / "my conf" / "compat").mkdir(parents=True)
    (tmp_path / "my conf" / "compat" / "mine.yaml").write_text("_target_: mine.Even\n_partial_: true\n")
    return tmp_path / "my conf"


def is_trained_with_own_code(directory, processes):
    assert results(directory)["processes"] == processes
    return "_target_: mine.Even" in (directory / "config.yaml").read_text()


@pytest.mark.slow
def test_a_run_of_two_processes_by_its_name_with_code_of_ones_own(tmp_path, own_code):
    options = [*TWO, "trainer.devices=2", "compat._target_=mine.Even", "trust=mine.Even", "hydra.run.dir=alone"]
    ended = start(BY_SCRIPT, "run", *options, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert is_trained_with_own_code(tmp_path / "alone", 2)
    assert (tmp_path / "alone" / "run_rank1.log").is_file()


@pytest.mark.slow
def test_a_sweep_by_its_name_with_a_folder_of_ones_own(tmp_path, own_code):
    options = [*TWO, "trainer.devices=1,2", "compat=mine", "-cd", "my conf", "hydra.sweep.dir=sweep"]
    ended = start(BY_SCRIPT, "run", "-m", *options, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for devices in (1, 2):
        assert is_trained_with_own_code(tmp_path / "sweep" / f"trainer.devices-{devices}", devices)
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"sweep", "mine.py", "my conf"}


@pytest.mark.slow
def test_submitits_jobs_by_its_name(tmp_path):
    options = [*TWO, "trainer.devices=1", "hydra/launcher=submitit_local", "seed=0,1"]
    ended = start(BY_SCRIPT, "run", "-m", *options, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert {path.parent.name for path in tmp_path.glob("multirun/*/*/results.json")} == {"seed-0", "seed-1"}
