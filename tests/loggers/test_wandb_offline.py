"""Whole runs that log to W&B offline: what is in them, what is not, and what happens when W&B's service goes."""

import getpass
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import processes
import pytest
import yaml
from wandb_commands import OFFLINE, environment, epochs, history, lta, parts, records
from wandb_server import KEY, Server

pytestmark = pytest.mark.slow

SECRETS = {"USER": "lta-secret-user", "LOGNAME": "lta-secret-user", "SOME_TOKEN": "lta-secret-token"}
REMOTE = "https://lta-secret-remote.example/repository.git"


def forbidden(home):
    """What nobody else may read, as it would stand in a file: short names only as a whole value."""
    texts = {str(home), str(Path.home()), sys.executable, "lta-secret", KEY, "hydra.run.dir="}
    return texts | {f'"{socket.gethostname()}"', f": {socket.gethostname()}\n", f'"{getpass.getuser()}"'}


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """(home directory, run directory in it, what the command returned): started in a git checkout with a remote."""
    home = tmp_path_factory.mktemp("homes") / "somebody"
    checkout = home / "checkout"
    checkout.mkdir(parents=True)
    for arguments in (["init", "-q"], ["remote", "add", "origin", REMOTE]):
        subprocess.run(["git", *arguments], cwd=checkout, check=True)
    directory = home / "runs" / "first"
    ended = lta(
        *OFFLINE,
        f"hydra.run.dir={directory}",
        f"+callbacks.attention_maps.directory={home}/pictures",
        "logger.wandb.tags=[mine,pc]",
        cwd=checkout,
        HOME=str(home),
        WANDB_API_KEY=KEY,
        **SECRETS,
    )
    assert ended.returncode == 0, ended.stderr
    return home, directory, ended


def test_nothing_secret_is_on_disk_but_in_the_logs_that_stay_there(private):
    home, directory, _ = private
    (part,) = parts(directory)
    files = [path for path in (directory / "wandb").rglob("*") if path.is_file() and "debug" not in path.name]
    assert {path.name for path in files} > {"requirements.txt", f"run-{part.name[-8:]}.wandb"}
    contents = {path.name: path.read_bytes() for path in files}
    contents["records"] = json.dumps(records(part)).encode()
    for name, content in contents.items():
        for secret in forbidden(home):
            assert secret.encode() not in content, f"{name} has {secret}"
    kinds = {record["type"] for record in records(part)}
    assert "environment" not in kinds
    assert "output_raw" not in kinds
    assert "stats" in kinds, "use of processor and memory"


def test_a_sync_uploads_no_logs_and_nothing_secret(private):
    home, directory, _ = private
    server = Server()
    command = [sys.executable, "-m", "wandb", "sync", str(parts(directory)[0])]
    variables = environment(HOME=str(home), **server.environment)
    processes.run(command, cwd=home, env=variables, check=True, timeout=120)
    server.stop()
    assert [row["epoch"] for row in server.history()] == [0, 0]
    assert {name for name in server.uploads if not name.startswith("media/")} == {
        "config.yaml",
        "requirements.txt",
        "wandb-summary.json",
    }
    for _, path, body in server.requests:
        for secret in forbidden(home):
            assert secret.encode() not in body, f"{path} has {secret}"


def configuration(part):
    viewer = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", part]
    return json.loads(processes.run(viewer, check=True).stdout)


def test_the_configuration_is_there_with_the_code_that_ran(private):
    _, directory, _ = private
    shown = configuration(parts(directory)[0])
    config = shown["config"]
    saved = yaml.safe_load((directory / "config.yaml").read_text())
    saved["callbacks"]["attention_maps"]["directory"] = "~/pictures"
    start = json.loads((directory / "run.json").read_text())["starts"][0]
    about = config.pop("run")
    assert config == saved
    assert about["lta"] == start["lta"]
    assert about["git"] == start["git"]
    assert about["libraries"]["pytorch-lightning"] == start["libraries"]["pytorch-lightning"]
    assert not {"command", "overrides"} & set(about)
    assert shown["tags"] == ["vgg_att3", "pc", "digit_scenes", "fast", "quickstart", "mine"]


def test_w_and_b_has_nothing_to_complain_about(private):
    assert private[2].stderr == ""
    assert "wandb:" not in private[2].stdout


def test_a_sweep_is_a_group_and_a_resume_keeps_it(tmp_path):
    kept = [option for option in OFFLINE if not option.startswith("recipe.epochs")]
    swept = lta("-m", *kept, "recipe.epochs=1,2", cwd=tmp_path)
    assert swept.returncode == 0, swept.stderr
    (sweep,) = (tmp_path / "multirun").iterdir()
    (sweep / "recipe.epochs-1" / "results.json").unlink()
    assert lta(f"resume={sweep}/recipe.epochs-1", cwd=tmp_path).returncode == 0
    for job, starts, trained in (("recipe.epochs-1", 2, 1), ("recipe.epochs-2", 1, 2)):
        assert len(parts(sweep / job)) == starts
        for part in parts(sweep / job):
            *_, run = [record["run"] for record in records(part) if record["type"] == "run"]
            assert (run["run_group"], run["display_name"]) == (sweep.name, job)
            assert run["tags"] == ["vgg_att3", "pc", "digit_scenes", "fast", "quickstart"]
        assert epochs(history(sweep / job)) == list(range(trained))
        assert sum("test/error" in row for row in history(sweep / job)) == 1


def test_a_run_that_fails_ends_its_w_and_b_run_as_failed(tmp_path):
    directory = tmp_path / "run"
    failed = lta("fails", 1, *OFFLINE, "recipe.epochs=3", f"hydra.run.dir={directory}", cwd=tmp_path, script="killed_run.py")
    assert failed.returncode == 1
    assert "RuntimeError: in the middle" in failed.stderr
    (part,) = parts(directory)
    assert [record["exit"]["exit_code"] for record in records(part) if record["type"] == "exit"] == [1]
    assert epochs(history(directory)) == [0]


@pytest.mark.parametrize(("signal", "says"), [("SIGKILL", "Connection lost"), ("SIGSTOP", "it does not answer")])
def test_training_goes_on_without_w_and_bs_service(tmp_path, signal, says):
    directory = tmp_path / "run"
    options = [*OFFLINE, "recipe.epochs=3", "logger.wandb.finish_timeout=1", f"hydra.run.dir={directory}"]
    ended = lta(signal, 1, *options, cwd=tmp_path, script="service_gone.py")
    assert ended.returncode == 0, ended.stderr
    (line,) = [line for line in ended.stdout.splitlines() if "W&B stopped" in line]
    assert line.startswith(f"W&B stopped ({says}): metrics.csv and attention/ are complete without it;")
    assert line.endswith(f"wandb sync {parts(directory)[0]}")
    assert "Traceback" not in ended.stderr
    assert json.loads((directory / "results.json").read_text())["tested_epochs"] == 3
    assert len((directory / "metrics.csv").read_text().splitlines()) == 4
    assert len(os.listdir(directory / "attention")) == 3
    assert epochs(history(directory)) in ([], [0]), "a second may be lost with the service"


def test_the_next_run_of_a_process_has_a_service_again(tmp_path):
    """As in a sweep, whose jobs follow each other in one process."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    script = f"""
import os, signal, sys
from wandb.sdk import wandb_setup
from lta.loggers.session import Session
from lta.loggers.wandb_run import wandb_logger
first = wandb_logger({str(tmp_path / "first")!r}, mode="offline")
os.kill(wandb_setup.singleton()._connection._proc._process.pid, signal.SIGKILL)
Session([first]).finish(failed=False)
second = wandb_logger({str(tmp_path / "second")!r}, mode="offline")
second.log_metrics({{"train/loss": 1.0, "epoch": 0}})
Session([second]).finish(failed=False)
"""
    ended = processes.run([sys.executable, "-c", script], cwd=tmp_path, env=environment(), timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("W&B stopped") == 1, "without a handler, warnings go to standard error"
    assert epochs(history(tmp_path / "second")) == [0]
