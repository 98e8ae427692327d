"""Runs that log to a W&B server: a stand-in that answers what wandb-core asks, and then no more."""

import getpass
import json
import socket
import sys
import time
from pathlib import Path

import processes
import pytest
from wandb_commands import OFFLINE, WANDB, environment, epochs, lta, parts
from wandb_server import KEY, Server

pytestmark = pytest.mark.slow

ONLINE = [*WANDB, "recipe.epochs=3", "logger.wandb.mode=online", "callbacks.attention_maps.images=2"]
NOWHERE = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": KEY}


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    """(server, run directory, what the second command returned) of a run that was killed and resumed.

    It is killed when the second epoch's checkpoint is written and its row is not sent; the first row has arrived.
    """
    directory, server = tmp_path_factory.mktemp("online") / "run", Server()
    run = [*ONLINE, "hydra.run.dir=run"]  # as the user gives it, a path outside of the home directory is shown
    secret = {"SOME_TOKEN": "lta-secret-token", "USER": "lta-secret-user"}
    lta("saved", 1, *run, cwd=directory.parent, script="killed_run.py", WHILE="17", **server.environment, **secret)
    assert epochs(server.history()) == [0]
    ended = lta("resume=run", cwd=directory.parent, **server.environment, **secret)
    assert ended.returncode == 0, ended.stderr
    server.stop()
    return server, directory, ended


def test_the_server_has_each_epoch_once_in_one_run(resumed):
    server, directory, ended = resumed
    assert server.starts == 2, "both parts ask whether there is a run to go on with"
    assert server.run["name"] == (directory / "wandb_id").read_text()
    assert len(parts(directory)) == 2
    rows = server.history()
    assert epochs(rows) == [0, 1, 2]
    assert [row["epoch"] for row in rows if "test/error" in row] == [2]
    for row in rows[:-1]:
        assert row["attention/panel"]["count"] in (1, 2)
        assert "val/error" in row
    assert server.conflicts == []
    assert ended.stderr == ""
    assert f"W&B: online, {server.url}/somebody/lta/runs/" in ended.stdout
    assert {name for name in server.uploads if not name.startswith("media/")} == {
        "config.yaml",
        "requirements.txt",
        "wandb-summary.json",
    }


def test_no_request_has_a_secret(resumed):
    server, directory, _ = resumed
    names = [f'"{socket.gethostname()}"', f'"{getpass.getuser()}"']
    paths = [str(directory.parent), str(Path.home()), sys.executable, "killed_run.py", "hydra.run.dir="]
    secrets = ["lta-secret", KEY, *paths, *names]
    assert any(path.startswith("/sdk/otel/") for _, path, _ in server.requests), "W&B's own telemetry too"
    assert len(server.requests) > 10
    for _, path, body in server.requests:
        text = body.decode(errors="replace").replace('\\\\"', '"').replace('\\"', '"')  # JSON in JSON
        assert not [secret for secret in secrets if secret in text], path


def test_tags_given_by_hand_survive_a_resume(tmp_path):
    """And a fresh run's are set."""
    server, directory = Server(), tmp_path / "run"
    script = f"""
from pathlib import Path
from lta.loggers.session import Session
from lta.loggers.wandb_run import wandb_logger
Session([wandb_logger({str(directory)!r}, mode="online", choices={{"model": "vgg"}}, tags=["mine"])]).finish(failed=False)
"""
    directory.mkdir()
    expected = ["vgg", "mine"]
    for by_hand in ([], ["good"]):
        server.run["tags"] = server.run.get("tags", []) + by_hand
        processes.run([sys.executable, "-c", script], env=environment(**server.environment), check=True, timeout=120)
        expected = by_hand + expected if not by_hand else ["vgg", "mine", "good"]
        assert server.run["tags"] == expected
    server.stop()


def test_training_goes_on_when_the_server_dies(tmp_path):
    server, directory = Server(dies_with=1), tmp_path / "run"
    run = [*ONLINE, "logger.wandb.finish_timeout=3", f"hydra.run.dir={directory}"]
    ended = lta("waits", 0, *run, cwd=tmp_path, script="killed_run.py", WHILE="17", **server.environment)
    assert ended.returncode == 0, ended.stderr
    assert json.loads((directory / "results.json").read_text())["tested_epochs"] == 3
    (part,) = parts(directory)
    (line,) = [line for line in ended.stdout.splitlines() if "not all was sent" in line]
    assert line == f"W&B: not all was sent within 3 s; wandb sync --no-skip-online {part} sends it again"
    assert "Traceback" not in ended.stderr
    assert epochs(server.history()) == [0]
    again = Server()
    sync = [sys.executable, "-m", "wandb", "sync", "--no-skip-online", str(part)]
    processes.run(sync, cwd=tmp_path, env=environment(**again.environment), check=True, timeout=120)
    again.stop()
    assert epochs(again.history()) == [0, 1, 2]


def test_the_parts_of_a_killed_offline_run_are_one_run_when_they_are_uploaded(tmp_path):
    directory = tmp_path / "run"
    lta("saved", 1, *OFFLINE, "recipe.epochs=3", f"hydra.run.dir={directory}", cwd=tmp_path, script="killed_run.py")
    assert lta(f"resume={directory}", cwd=tmp_path).returncode == 0
    server = Server()
    sync = [sys.executable, "-m", "wandb", "sync", *map(str, parts(directory))]
    processes.run(sync, cwd=tmp_path, env=environment(**server.environment), check=True, timeout=120)
    server.stop()
    assert epochs(server.history()) == [0, 1, 2]
    assert server.conflicts == []


@pytest.mark.parametrize("mode", ["online", "auto"])
def test_a_server_that_cannot_be_reached(tmp_path, mode):
    directory = tmp_path / "run"
    began = time.monotonic()
    ended = lta(*WANDB, f"logger.wandb.mode={mode}", f"hydra.run.dir={directory}", cwd=tmp_path, **NOWHERE)
    took = time.monotonic() - began
    if mode == "online":
        assert ended.returncode == 1
        (line,) = ended.stderr.splitlines()
        assert line.startswith("error: logger.wandb.mode=online: Failed to ")
        assert "127.0.0.1:9" in line
        assert not (directory / "checkpoints").exists()
    else:
        assert ended.returncode == 0, ended.stderr
        (line,) = [line for line in ended.stdout.splitlines() if line.startswith("W&B: ")]
        assert line.startswith("W&B: offline (Failed to ")
        assert line.endswith(f"; upload later with: wandb sync {directory}/wandb/offline-run-*")
        assert [part.name.split("-")[0] for part in parts(directory)] == ["offline"]
        assert ended.stderr == ""
    assert 20 < took < 75, "twenty seconds for W&B, the rest is the command itself"


def test_online_without_a_login(tmp_path):
    ended = lta(*WANDB, "logger.wandb.mode=online", f"hydra.run.dir={tmp_path}/run", cwd=tmp_path, HOME=str(tmp_path))
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line == "error: logger.wandb.mode=online: there is no login: run `wandb login`, or set WANDB_API_KEY"
