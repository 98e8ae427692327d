"""Whole commands in and on folders that are called as people call them."""

import json
import os
import shlex
import sys

import numpy as np
import processes
import pytest
from commands import TINY, environment
from path_names import ODD
from PIL import Image

NAME = '${a} b\'s "(1)" & [c], d=e #\\ é猫'
"""All that a grammar may take for something else."""

RUN = [*TINY, "callbacks.attention_maps=null", "default_evaluators=none"]


def lta(command, *arguments, cwd):
    program = [sys.executable, "-m", f"lta.{command}", *arguments]
    return processes.run(program, cwd=cwd, env=environment(), check=False, timeout=280)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of that name, with a run of that name and a folder of pictures of that name in it."""
    place = tmp_path_factory.mktemp("odd") / NAME
    pictures = place / f"pictures {NAME}"
    pictures.mkdir(parents=True)
    Image.new("RGB", (40, 40), "red").save(pictures / f"{NAME}.png")
    ended = lta("run", *RUN, f"hydra.run.dir={NAME}", cwd=place)
    assert ended.returncode == 0, ended.stderr
    return place


@pytest.mark.slow
def test_a_run_in_such_a_folder_is_asked_applied_exported_and_resumed(place):
    assert {"config.yaml", "results.json", "run.log"} <= {path.name for path in (place / NAME).iterdir()}
    for command, *arguments in (
        ("evaluate", f"checkpoint={NAME}", "evaluator=classification"),
        ("apply", f"checkpoint={NAME}", f"images=pictures {NAME}", "effect=heatmap", f"out=out {NAME}"),
        ("predict", f"checkpoint={NAME}", f"images=pictures {NAME}", f"out=answers {NAME}", "overlays=all"),
        ("run", f"resume={NAME}"),
    ):
        ended = lta(command, *arguments, cwd=place)
        assert (ended.returncode, ended.stderr) == (0, "")
    assert (place / NAME / "evaluations" / "classification.json").is_file()
    assert (place / f"out {NAME}" / f"{NAME}_heatmap.png").is_file()


@pytest.mark.slow
def test_the_recorded_command_does_the_same_again(place):
    starts = json.loads((place / NAME / "run.json").read_text())["starts"]
    _, _, module, *arguments = shlex.split(shlex.join(starts[0]["command"]))
    ended = lta(module.removeprefix("lta."), *arguments, cwd=place)
    assert "already holds a run" in ended.stderr
    again = shlex.split(ended.stderr.partition("resume it with ")[2])[0].removesuffix(",")
    ended = lta("run", again, cwd=place)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "this run is complete" in ended.stdout


@pytest.mark.slow
def test_a_sweep_of_two_jobs(place):
    sweep = f"sweep {NAME}"
    ended = lta("run", "-m", *RUN, "seed=0,1", f"hydra.sweep.dir={sweep}", "logger=csv", cwd=place)
    assert ended.returncode == 0, ended.stderr
    assert len(list((place / sweep).glob("*/results.json"))) == 2
    again = lta("run", "-m", *RUN, "seed=0,1", f"hydra.sweep.dir={sweep}", "logger=csv", cwd=place)
    assert "finished before, so skipped" in again.stdout


@pytest.mark.slow
def test_two_processes_of_a_run(place):
    directory = f"two {NAME}"
    ended = lta("run", *RUN, "trainer.devices=2", "trainer.sync_batchnorm=false", f"hydra.run.dir={directory}", cwd=place)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((place / directory / "results.json").read_text())["processes"] == 2
    assert (place / directory / "run_rank1.log").is_file()
    assert not [path for path in place.iterdir() if path.name not in (NAME, directory) and path.name.startswith("two")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["1e5", "null"])
def test_a_run_named_by_what_looks_like_a_number(name, tmp_path):
    ended = lta("run", *RUN, f"hydra.run.dir={name}", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for command, *arguments in (
        ("evaluate", f"checkpoint={name}", "evaluator=classification"),
        ("run", f"resume={name}"),
    ):
        ended = lta(command, *arguments, cwd=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_name_has_what_the_table_has():
    assert set("${}'\"()&[],=# \\") <= set(NAME) & set("".join(ODD))


@pytest.mark.slow
def test_a_class_whose_name_is_no_utf_8(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 40, 3), dtype=np.uint8)
    for number, picture in enumerate(pixels):
        folder = tmp_path / "data" / (os.fsdecode(b"d\xf6g") if number % 2 else "1")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / f"{number}.png")
    kept = [argument for argument in RUN if not argument.startswith("data.")]
    data = ["data=image_folder", "data.root=data", "data.split=order", "data.batch_size=8"]
    ended = lta("run", *kept, *data, "hydra.run.dir=run", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    for command, *arguments in (
        ("evaluate", "checkpoint=run", "evaluator=classification"),
        ("apply", "checkpoint=run", "images=data/1", "effect=heatmap"),
        ("predict", "checkpoint=run", "images=data", "format=csv,jsonl", "overlays=all"),
    ):
        ended = lta(command, *arguments, cwd=tmp_path)
        assert (ended.returncode, ended.stderr) == (0, "")
