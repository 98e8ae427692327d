"""A package outside lta takes part everywhere: examples/my_attention, installed as any package is."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import processes
import pytest
import torch
import yaml
from commands import assert_refused, command, environment, lta_run
from PIL import Image

import lta
from lta.cli import plugins
from lta.runtime.provenance import code_version

EXAMPLE = Path(lta.__file__).resolve().parents[1] / "examples" / "my_attention"

TINY = ("model=one_level", "compat=cosine", "data=stripes", "data.size=64", "recipe.epochs=1", "logger=none", "trainer=cpu")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A folder with the package in it, as pip lays it."""
    folder = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", folder, EXAMPLE], check=True)
    return folder


@pytest.fixture
def installed(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    _forget_package()
    yield site
    _forget_package()


def _forget_package():
    plugins._installed.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_attention"]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def run(site, tmp_path_factory):
    """Trained by a process of its own, which finds the package as it would find any."""
    directory = tmp_path_factory.mktemp("trained") / "run"
    paths = {"PYTHONPATH": os.pathsep.join([str(site), environment()["PYTHONPATH"]])}
    trained = command(*TINY, "evaluator=centre", f"hydra.run.dir={directory}")
    ended = processes.run(trained, env=environment() | paths, cwd=directory.parent)
    assert ended.returncode == 0, ended.stderr
    assert "of the attention in the middle (uniform: 0.250)" in ended.stdout
    return directory


def task_of(name: str):
    """The function and the options of another command than lta.run."""
    from importlib import import_module

    options = {
        "evaluate": (("evaluator", "checkpoint"), False),
        "apply": (("effect", "images"), False),
        "export": (("evaluator",), False),
    }
    return getattr(import_module(f"lta.{name}.__main__"), name), name, *options[name]


def test_the_example_is_short_and_each_kind_of_thing_is_there():
    lines = [line for file in EXAMPLE.rglob("*.py") for line in file.read_text().splitlines() if line.strip()]
    assert len(lines) < 150
    assert len((EXAMPLE / "my_attention/conf/compat/cosine.yaml").read_text().splitlines()) <= 6
    entry = EXAMPLE.joinpath("pyproject.toml").read_text().partition('[project.entry-points."lta.conf"]')[2]
    assert entry.split() == ["my_attention", "=", '"my_attention"'], "two lines"
    groups = {folder.name for folder in (EXAMPLE / "my_attention/conf").iterdir()}
    assert groups == {"compat", "model", "data", "evaluator", "effect"}


def test_help_lists_its_choices_with_its_name(installed, capsys):
    out = lta_run(capsys, ["--help"]).out
    for choice in ("compat: .*cosine", "model: .*one_level", "data: .*stripes", "evaluator: .*centre"):
        assert re.search(rf"{choice} \(my_attention\)", out)
    assert "my_attention" not in sys.modules


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("compat=cosin", "compat=cosin is unknown (did you mean cosine?); choose one of additive, cosine, dp"),
        ("compat.temprature=3", "did you mean compat.temperature?"),
        ("data=stripe", "data=stripe is unknown (did you mean stripes?)"),
    ],
)
def test_what_it_has_is_meant(installed, capsys, wrong, says):
    assert_refused(lta_run(capsys, ["compat=cosine", wrong] if "." in wrong else [wrong]), says)


def test_it_takes_part_with_every_recipe(installed, capsys):
    for recipe in ("fast", "muon", "air", "author"):
        ended = lta_run(capsys, ["model=one_level", "compat=cosine", "data=stripes", f"recipe={recipe}", "--cfg", "job"])
        assert ended.status == 0, ended.err
        composed = yaml.safe_load(ended.out)
        assert composed["preprocess"]["_target_"]


def test_a_run_says_what_it_was_made_of(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["model"]["_target_"] == "my_attention.network.OneLevel"
    assert config["model"]["compat"]["_target_"] == "my_attention.compat.Cosine"
    assert "trust" not in config
    (start,) = json.loads((run / "run.json").read_text())["starts"]
    assert start["choices"]["compat"] == "cosine"
    assert start["code"] != code_version(), "the package's own files count too"
    assert json.loads((run / "results.json").read_text())["complete"]
    assert set(json.loads((run / "evaluations" / "centre.json").read_text())["figures"]["middle"]) == {"top"}


def test_it_is_resumed(run, installed, capsys):
    """As if it had been stopped between its last epoch and its test."""
    (run / "results.json").unlink()
    ended = lta_run(capsys, [f"resume={run}"])
    assert ended.status == 0, ended.err
    assert "test error" in ended.out
    assert json.loads((run / "results.json").read_text())["complete"]


def test_python_loads_it(run, installed):
    classifier = lta.load(run)
    images = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8)
    prediction = classifier.predict(images)
    assert set(prediction.labels) <= {"upright", "lying"}
    assert type(classifier.network.compat).__module__ == "my_attention.compat"


@pytest.mark.parametrize(
    "evaluator",
    ["centre", "classification", "faithfulness", "kept_sharp", "localisation", "query", "robustness", "roles", "transfer"],
)
def test_every_question_is_answered_or_refused_in_a_line(run, installed, capsys, evaluator):
    settings = {
        "faithfulness": ["evaluator.faithfulness.images=16"],
        "robustness": ["evaluator.robustness.images=16", "evaluator.robustness.masking_images=4"],
        "transfer": ["evaluator.transfer.train_images=32", "evaluator.transfer.folds=2"],
    }
    arguments = [f"checkpoint={run}", f"evaluator={evaluator}", "wandb=false", *settings.get(evaluator, [])]
    ended = lta_run(capsys, arguments, *task_of("evaluate"))
    if ended.status:
        assert_refused(ended, "")
    else:
        assert (run / "evaluations" / f"{evaluator}.json").is_file()


def test_its_effect_is_applied(run, installed, capsys, tmp_path):
    Image.new("RGB", (64, 48), (200, 30, 30)).save(tmp_path / "photo.png")
    arguments = [f"checkpoint={run}", f"images={tmp_path}/photo.png", "effect=fade", f"out={tmp_path}/out"]
    ended = lta_run(capsys, arguments, *task_of("apply"))
    assert ended.status == 0, ended.err
    assert Image.open(tmp_path / "out" / "photo_fade.png").size == (64, 48)


@pytest.mark.slow
def test_it_is_exported(run, installed, capsys, tmp_path, shapes_unchecked):
    arguments = [f"checkpoint={run}", "format=torch_export", f"out={tmp_path}/net.pt2"]
    ended = lta_run(capsys, arguments, *task_of("export"))
    assert ended.status == 0, ended.err
    assert "gives logits, probabilities, map_top: float32" in ended.out


def test_the_report_calls_it_by_its_own_names(run, tmp_path):
    from lta.report.__main__ import main

    assert main([str(run), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "report.md").read_text()
    assert r"one\_level cosine" in page
    assert "stripes" in page


def test_without_the_package_nothing_of_it_is_called(run, capsys):
    with pytest.raises(ValueError, match=r"asks for my_attention\.\S+ \(model.*add trust=my_attention\."):
        lta.load(run)
    assert_refused(lta_run(capsys, [f"resume={run}"]), "so it is not loaded")


def test_names_given_with_the_command_do_without_an_entry_point(run, site, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(site))
    with pytest.raises(ValueError, match="trust="):
        lta.load(run, trust=["my_attention.network.OneLevel"])
    names = ["my_attention.network.OneLevel", "my_attention.compat.Cosine", "my_attention.data.Stripes"]
    assert lta.load(run, trust=names)
    assert lta.load(run, config_dir=EXAMPLE / "my_attention" / "conf")


@pytest.mark.slow
def test_its_jobs_are_swept_and_their_processes_find_it(installed, tmp_path):
    sweep = command("-m", *TINY, "compat=cosine,pc", f"hydra.sweep.dir={tmp_path}/sweep")
    paths = {"PYTHONPATH": os.pathsep.join([str(installed), environment()["PYTHONPATH"]])}
    ended = processes.run(sweep, env=environment() | paths, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "[2/2]" in ended.stdout


@pytest.mark.slow
def test_a_folder_of_ones_own_and_a_name_reach_every_process(site, tmp_path):
    """`-cd` and `trust=`, relative and from another folder than lta's: a sweep, in it two processes a job."""
    (tmp_path / "mine" / "compat").mkdir(parents=True)
    (tmp_path / "mine" / "compat" / "own.yaml").write_text("_target_: own_code.Own\n_partial_: true\n")
    (tmp_path / "own_code.py").write_text(
        "from lta.layers.compatibility import Parametrised\nclass Own(Parametrised): pass\nclass Other(Parametrised): pass\n"
    )
    two = ("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "data.batch_size=32")
    tiny = ("experiment=quickstart", "model.width=0.0625", "recipe.epochs=1", "data.train_size=64", "data.val_size=32")
    more = ("data.test_size=32", "logger=none", "hydra.sweep.dir=sweep", "compat=own")
    swept = "compat._target_=own_code.Own,own_code.Other"
    asked = command("-m", "-cd", "mine", *tiny, *more, *two, swept, "trust=own_code.Other")
    ended = processes.run(asked, env=environment(), cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "[2/2]" in ended.stdout
