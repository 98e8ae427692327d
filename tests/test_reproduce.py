"""`make reproduce`: a table of the paper's rows as a sweep."""

import re
import shutil
import subprocess

import pytest
from commands import TINY, lta_run
from experiment_files import SOURCE
from omegaconf import OmegaConf

from lta.cli.plugins import PACKAGE

TABLES = list(SOURCE["tables"])
AIR = "model=air, air_att1, air_att2, air_att3, air_gap, air_wide, air_wide_att3, air_wide_gap have it"

AIR_RECIPES = "recipe=air, air_muon have it"


def make(*arguments):
    command = ["make", "--dry-run", "--no-print-directory", "reproduce", *arguments]
    return subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("table", ["", "mnist", "cifar", "%", "cifar10 svhn", "vgg"])
def test_make_reproduce_names_the_tables_where_there_is_no_such(table):
    ended = make(f"TABLE={table}")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert f"TABLE={table} is no table; give one of {' '.join(TABLES)}, for example" in line
    assert not ended.stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize("table", TABLES)
def test_make_reproduce_runs_a_table(table):
    last = make(f"TABLE={table}", "SEEDS=4,5", "ARGS=recipe.epochs=3 logger=csv").stdout.splitlines()[-1]
    assert last == (
        f".venv/bin/python -m lta.run -m 'experiment=glob({table}_*)' 'seed=choice(4,5)' recipe.epochs=3 logger=csv"
    )


@pytest.mark.parametrize(
    ("swept", "setting", "owners", "where"),
    [
        (["experiment=glob(cifar10_*)"], "schedule.of_epochs=300", "experiment", "schedule=author, author_resnet have it"),
        (["model=air_att2,air_att3", "evaluator=[classification,query]"], "model.taps=early", "model", AIR),
        (["model=air,air_gap", "recipe=fast,air"], "recipe.lookahead=false", "model and recipe", AIR_RECIPES),
    ],
)
def test_what_only_those_that_are_swept_have_is_told_how_to_be_set(capsys, swept, setting, owners, where):
    ended = lta_run(capsys, ["-m", *swept, setting])
    assert ended.status == 1
    key = setting.partition("=")[0]
    assert ended.err.strip() == (
        f"error: there is no setting {key} here; if each {owners} of the sweep has it, give it as ++{key}=...; {where}"
    )


def test_a_command_that_sweeps_nothing_is_told_no_such_thing(capsys):
    for command in (["model=vgg", "model.taps=early"], ["-m", "evaluator=[classification,query]", "model.taps=early"]):
        ended = lta_run(capsys, command)
        assert ended.err.strip() == f"error: there is no setting model.taps here; {AIR}"


@pytest.mark.slow
def test_a_table_is_a_sweep(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = [argument for argument in TINY if not argument.startswith(("experiment", "data.val_size"))]
    swept = ["-m", "experiment=glob([control_gap,control_uni*])", "seed=choice(0)", "data=digit_scenes"]
    ended = lta_run(capsys, [*swept, *tiny, "++schedule.of_epochs=300"])
    assert ended.status == 0, ended.err
    (sweep,) = (tmp_path / "multirun").iterdir()
    assert re.fullmatch(r"experiment-control_gap_control_uni\+seed_[0-9a-f]{8}", sweep.name)
    jobs = {path.name: path for path in sweep.iterdir() if path.is_dir()}
    assert set(jobs) == {"experiment-control_gap+seed-0", "experiment-control_uniform+seed-0"}
    for path in jobs.values():
        assert OmegaConf.load(path / "config.yaml").schedule.of_epochs == 300
        assert "test/error" in (sweep / "sweep.csv").read_text()
