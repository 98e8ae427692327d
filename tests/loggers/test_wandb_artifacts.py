"""Checkpoints and reports as artifacts: in whose run, under which names, and what happens when W&B fails."""

import json
import logging
import math
import time
from types import SimpleNamespace

import pytest
import torch
import wandb
import yaml
from pytorch_lightning.utilities import rank_zero_only
from wandb_commands import OFFLINE, epochs, history, lta, parts, records
from wandb_server import Server

import lta as package
from lta.cli.plugins import CONF
from lta.loggers import run_logger as logger_module
from lta.loggers.run_logger import RunLogger
from lta.loggers.wandb_artifacts import log_report, send_checkpoints
from lta.loggers.wandb_run import describe_setting, wandb_logger


class Run:
    """W&B's run that keeps the artifacts it is given, or fails."""

    def __init__(self, error=None):
        self.error, self.sent, self.rows = error, [], []
        self.dir, self.offline = "files", True

    def log_artifact(self, artifact, aliases):
        if self.error:
            raise self.error
        self.sent.append((artifact, aliases))

    def log(self, row):
        self.rows.append(row)


def saved(directory, which, epoch=3, **row):
    """A checkpoint with as much in it as is read."""
    (directory / "checkpoints").mkdir(exist_ok=True)
    (directory / "wandb_id").write_text("abcd1234")
    rows = [{"epoch": float(epoch), "val/error": 12.5, **row}]
    config = {"seed": 1, "data": {"root": "/data"}}
    content = {"epoch": epoch, "callbacks": {"EpochLog": {"rows": rows}}, "hyper_parameters": {"config": config}}
    torch.save(content, directory / "checkpoints" / f"{which}.ckpt")


def sent_of(directory, checkpoints, run):
    send_checkpoints([RunLogger(directory, "lta", run, checkpoints=checkpoints), SimpleNamespace()])
    return run.sent


def test_a_checkpoint_has_its_aliases_its_figures_and_its_configuration(tmp_path):
    saved(tmp_path, "last", epoch=5, **{"attention/query_grad_norm/C": math.inf})
    saved(tmp_path, "best", epoch=3)
    (best, best_aliases), (last, last_aliases) = sent_of(tmp_path, ["last", "best"], Run())
    assert (best_aliases, last_aliases) == (["best", "epoch-3"], ["last", "epoch-5"])
    assert (last.name, last.type) == ("model-abcd1234", "model")
    assert best.name == last.name
    assert last.metadata == {"epoch": 5, "val/error": 12.5, "config": {"seed": 1, "data": {"root": "/data"}}}
    (entry,) = last.manifest.entries.values()
    assert (entry.path, entry.local_path) == ("last.ckpt", str(tmp_path / "checkpoints" / "last.ckpt"))


def test_nothing_is_sent_unless_asked_for(tmp_path):
    saved(tmp_path, "last")
    assert sent_of(tmp_path, [], Run()) == []
    node = yaml.safe_load((CONF / "logger" / "wandb.yaml").read_text())["wandb"]
    assert node["checkpoints"] == []


def test_only_the_first_rank_sends(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert sent_of(tmp_path, ["last"], Run()) == []
    assert caplog.messages == [], "it does not even look for the file"


def test_what_is_missing_or_refused_is_said_and_the_rest_is_sent(tmp_path, caplog):
    saved(tmp_path, "last")
    (tmp_path / "config.yaml").touch()
    with caplog.at_level(logging.WARNING):
        assert [aliases[0] for _, aliases in sent_of(tmp_path, ["best", "last"], Run())] == ["last"]
    (line,) = caplog.messages
    assert line.startswith(f"W&B: the best checkpoint is not sent as an artifact: {tmp_path} has no best checkpoint: it is ")
    caplog.clear()
    run = Run(ValueError("refused\nby the server"))
    logger = RunLogger(tmp_path, "lta", run, checkpoints=["last"])
    send_checkpoints([logger])
    logger.log_metrics({"a": 1})
    assert caplog.messages == ["W&B: the last checkpoint is not sent as an artifact: refused by the server"]
    assert run.rows == [{"a": 1}], "rows go on"


def test_a_service_that_hangs_is_given_up(tmp_path, monkeypatch, caplog):
    saved(tmp_path, "last")
    monkeypatch.setattr(logger_module, "CALL", 0.2)
    monkeypatch.setattr(logger_module, "abandon", lambda: None)
    run = Run()
    run.log_artifact = lambda artifact, aliases: time.sleep(30)
    sent_of(tmp_path, ["last"], run)
    assert caplog.messages[-1].startswith("W&B stopped (it does not answer)")


@pytest.mark.parametrize("asked", ["first", ["last", "first"]])
def test_only_last_and_best_can_be_asked_for(tmp_path, asked):
    with pytest.raises(ValueError, match=r"logger.wandb.checkpoints=first is unknown; choose one of last, best"):
        wandb_logger(str(tmp_path), checkpoints=asked)


@pytest.mark.parametrize(
    ("name", "is_job", "expected"),
    [
        ("2026-01-31_12-00-00_vgg_att3_cifar10", False, "vgg_att3 pc"),
        ("compat-pc+model-vgg_att3+seed-3", True, "vgg_att3 pc"),
        ("recipe.lr-0.1+seed-0", True, "vgg_att3 pc recipe.lr-0.1"),
        ("data.root-_x+seed-0-0a1b2c3d", True, "vgg_att3 pc data.root-_x"),
        ("seed-7", True, "vgg_att3 pc"),
    ],
)
def test_a_setting_is_what_a_run_is_but_for_its_seed(tmp_path, name, is_job, expected):
    directory = tmp_path / name
    directory.mkdir()
    if is_job:
        (tmp_path / "multirun.yaml").touch()
    assert describe_setting(directory, {"model": "vgg_att3", "compat": "pc", "data": "cifar10"}) == expected


def test_a_setting_without_attention_or_with_nothing_that_varies(tmp_path):
    assert describe_setting(tmp_path / "seed-1", {"model": "vgg", "compat": None}) == "vgg"
    (tmp_path / "multirun.yaml").touch()
    assert describe_setting(tmp_path / "run", {"model": "vgg"}) == "vgg"


@pytest.fixture
def report(tmp_path):
    files = [tmp_path / "report.html", tmp_path / "report.md"]
    for file in files:
        file.write_text(file.name)
    return files


@pytest.mark.slow
def test_a_report_is_an_artifact_of_a_run_of_its_own(tmp_path, report, monkeypatch, capfd):
    for name in ("WANDB_SERVICE", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    wandb.teardown()  # what it prints is settled when it is first asked: by a test before this one, in the same process
    where = log_report(report, project="attention", mode="offline")
    (part,) = parts(tmp_path)
    assert where == f"wandb sync {part}"
    assert capfd.readouterr().err == ""
    found = records(part)
    *_, run = [record["run"] for record in found if record["type"] == "run"]
    assert (run["project"], run["job_type"], run["display_name"]) == ("attention", "report", "report")
    (artifact,) = [record["artifact"] for record in found if record["type"] == "artifact"]
    assert (artifact["type"], artifact["name"]) == ("report", "report")
    assert {entry["path"] for entry in artifact["manifest"]["contents"]} == {"report.html", "report.md"}


@pytest.mark.parametrize(
    ("files", "mode", "says"),
    [
        ([], "offline", "no file is given to log as the report"),
        (["nowhere.html"], "offline", "there is no file .*nowhere.html to log as a part of the report"),
        (["report.md"], "sometimes", "mode=sometimes is unknown; choose one of auto, online, offline"),
    ],
)
def test_a_report_that_cannot_be_logged(tmp_path, report, files, mode, says):
    with pytest.raises(ValueError, match=says):
        log_report([tmp_path / file for file in files], mode=mode)
    assert not (tmp_path / "wandb").exists()


@pytest.mark.slow
def test_an_offline_run_has_its_checkpoints_and_so_has_one_that_is_resumed(tmp_path):
    directory = tmp_path / "run"
    options = [*OFFLINE, "recipe.epochs=2", "logger.wandb.checkpoints=[last,best]", f"hydra.run.dir={directory}"]
    lta("saved", 1, *options, cwd=tmp_path, script="killed_run.py")
    assert lta(f"resume={directory}", cwd=tmp_path).returncode == 0
    found = [record["artifact"] for part in parts(directory) for record in records(part) if record["type"] == "artifact"]
    assert [artifact["name"] for artifact in found] == [f"model-{(directory / 'wandb_id').read_text()}"] * 2
    assert set(found[1]["aliases"]) == {"last", "epoch-1", "latest"}
    assert "best" in found[0]["aliases"]
    (entry,) = found[1]["manifest"]["contents"]
    assert entry["local_path"] == str(directory / "checkpoints" / "last.ckpt")
    metadata = json.loads(found[1]["metadata"])
    (row,) = [row for row in history(directory) if row["epoch"] == 1 and "val/error" in row]
    assert metadata["val/error"] == pytest.approx(row["val/error"])
    assert metadata["config"]["seed"] == 0
    assert package.load(entry["local_path"]).network is not None


@pytest.mark.slow
def test_a_server_that_takes_no_artifacts_does_not_stop_the_run(tmp_path):
    """The stand-in knows none."""
    server, directory = Server(), tmp_path / "run"
    options = [option for option in OFFLINE if "mode" not in option]
    asked = ["logger.wandb.mode=online", "logger.wandb.checkpoints=last", "logger.wandb.finish_timeout=20"]
    ended = lta(*options, *asked, f"hydra.run.dir={directory}", cwd=tmp_path, **server.environment)
    server.stop()
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "W&B: the last checkpoint is not sent as an artifact: " in ended.stdout
    assert epochs(server.history()) == [0]
    assert (directory / "results.json").is_file()
