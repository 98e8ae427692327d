"""Wrong commands that could harm a run that is there, or ask of it what it has not."""

import shutil

import pytest
import torch
from commands import TINY, assert_refused, lta_run, train

from lta.inference.checkpoint import load


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    monkeypatch.delenv("LTA_DATA_ROOT", raising=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run's directory; the command runs once for all tests, which work on copies."""
    directory = tmp_path_factory.mktemp("runs") / "run"
    train(*TINY, f"hydra.run.dir={directory}")
    return directory


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


def test_a_second_run_in_the_same_directory(capsys, run):
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    says = f"{run} already holds a run: resume it with resume={run}, or"
    assert_refused(lta_run(capsys, [*TINY, f"hydra.run.dir={run}"]), says)
    after = {path: path.read_bytes() for path in before}
    log = run / "run.log"  # Hydra opens it before the run is asked
    assert after.pop(log).startswith(before.pop(log))
    assert after == before


def test_resume_of_nothing(capsys, tmp_path):
    assert_refused(lta_run(capsys, ["resume=nowhere"]), "error: resume=nowhere: there is no such directory")
    assert not (tmp_path / "nowhere").exists()


def test_resume_of_a_checkpoint(capsys, run):
    file = f"{run}/checkpoints/last.ckpt"
    assert_refused(lta_run(capsys, [f"resume={file}"]), f"error: resume={file} is a file. Give the run's directory")


def test_resume_of_a_folder_that_is_no_run(capsys, tmp_path):
    (tmp_path / "pictures").mkdir()
    assert_refused(lta_run(capsys, ["resume=pictures"]), "resume=pictures is not a run directory: it has no config.yaml")
    assert not list((tmp_path / "pictures").iterdir())


def test_resume_in_another_directory(capsys, run, tmp_path):
    ended = lta_run(capsys, [f"resume={run}", f"hydra.run.dir={tmp_path}/other"])
    assert_refused(ended, f"resume={run} continues one run in its own directory")


def test_resume_with_another_configuration(capsys, run):
    says = f"model=vgg can't be given with resume={run}"
    assert_refused(lta_run(capsys, [f"resume={run}", "model=vgg"]), says)


def test_resume_with_an_unknown_trainer_setting(capsys, run):
    assert_refused(lta_run(capsys, [f"resume={run}", "+trainer.colour=red"]), "trainer.colour")


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_resume_on_a_device_that_is_not_there(capsys, run):
    (run / "results.json").unlink()
    assert_refused(lta_run(capsys, [f"resume={run}", "trainer=gpu"]), "trainer.accelerator=gpu: this machine has no")


def test_resume_with_a_broken_configuration(capsys, run):
    (run / "config.yaml").write_text("model: [")
    assert_refused(lta_run(capsys, [f"resume={run}"]), "config.yaml")


def test_resume_from_a_broken_checkpoint(capsys, run):
    (run / "results.json").unlink()
    path = run / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:1000])
    assert_refused(lta_run(capsys, [f"resume={run}"]), f"{path} is not a readable checkpoint")
    assert path.stat().st_size == 1000


@pytest.mark.parametrize(("part", "key", "value"), [("model", "width", 0.125), ("loss", "label_smoothing", 0.1)])
def test_resume_from_the_checkpoint_of_another_training(capsys, run, part, key, value):
    (run / "results.json").unlink()
    path = run / "checkpoints" / "last.ckpt"
    content = torch.load(path, weights_only=True)
    content["hyper_parameters"]["config"][part][key] = value
    torch.save(content, path)
    assert_refused(lta_run(capsys, [f"resume={run}"]), f"{path} belongs to another configuration: {part}.{key}")


def test_load_names_what_is_wrong(run, tmp_path):
    with pytest.raises(ValueError, match="there is no"):
        load(tmp_path / "nothing.ckpt")
    (tmp_path / "text.ckpt").write_text("no checkpoint")
    with pytest.raises(ValueError, match=r"text.ckpt is not a readable checkpoint"):
        load(tmp_path / "text.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
    with pytest.raises(ValueError, match=r"foreign.ckpt is not a checkpoint of lta"):
        load(tmp_path / "foreign.ckpt")
    with pytest.raises(ValueError, match="which=first is unknown"):
        load(run, which="first")
