"""The W&B run of a run directory: its id, its group, what it is told, and who may have one."""

import json
import logging
import sys
import time
from types import SimpleNamespace

import processes
import pytest
from pytorch_lightning.utilities import rank_zero_only
from wandb_commands import environment

from lta.loggers import run_logger as logger_module
from lta.loggers.run_logger import RunLogger, describe_code, hide_home
from lta.loggers.wandb_parts import read_logged_rows
from lta.loggers.wandb_run import run_id, sweep, wandb_logger
from lta.loggers.wandb_service import NoAnswer, call_within, reason


def test_the_id_is_made_once_and_kept(tmp_path):
    made = run_id(tmp_path)
    assert len(made) == 8
    assert run_id(tmp_path) == made
    assert [path.name for path in tmp_path.iterdir()] == ["wandb_id"]


@pytest.mark.parametrize("content", ["", "two words", "../elsewhere"])
def test_a_file_without_an_id_is_named(tmp_path, content):
    (tmp_path / "wandb_id").write_text(content)
    with pytest.raises(ValueError, match=r"wandb_id holds no id of a W&B run: "):
        run_id(tmp_path)


def test_the_id_that_an_agent_gives_is_the_one_kept(tmp_path):
    """In a process of its own: W&B reads the environment once."""
    code = (
        f"from lta.loggers import wandb_logger; print('id', wandb_logger({str(tmp_path)!r}, mode='offline').experiment.id)"
    )
    asked = environment(WANDB_SWEEP_ID="sweep1", WANDB_RUN_ID="agents1")
    ended = processes.run([sys.executable, "-c", code], cwd=tmp_path, env=asked, timeout=120)
    assert "id agents1" in ended.stdout.splitlines(), ended.stderr
    assert run_id(tmp_path) == "agents1"


def test_a_sweeps_name_is_its_directorys(tmp_path):
    job = tmp_path / "sweep" / "0"
    job.mkdir(parents=True)
    assert sweep(job) is None
    (tmp_path / "sweep" / "multirun.yaml").touch()
    assert sweep(job) == "sweep"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "sometimes"}, "logger.wandb.mode=sometimes is unknown; choose one of auto, online, offline"),
        ({"finish_timeout": 0}, "logger.wandb.finish_timeout=0 must be a whole number, at least 1"),
        ({"project": "team/cats"}, r"project=team/cats must be .*: the team is given apart, logger.wandb.entity=team "),
        ({"project": "a" * 129}, r"logger\.wandb\.project=a+ must be a name of 1 to 128 letters"),
        ({"project": "cats?"}, r"project=cats\? must be a name of 1 to 128 letters without / \\ # \? % :"),
        ({"tags": "one"}, "logger.wandb.tags=one must be a list of words"),
        ({"tags": ["a" * 65]}, "must be a list of words of 1 to 64 letters"),
    ],
)
def test_what_a_user_can_get_wrong(tmp_path, options, says):
    with pytest.raises(ValueError, match=says):
        wandb_logger(str(tmp_path), **options)
    assert not list(tmp_path.iterdir())


def test_a_mode_of_the_environment_is_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "sometimes")
    with pytest.raises(ValueError, match="WANDB_MODE=sometimes is unknown; choose one of online, offline, disabled"):
        wandb_logger(str(tmp_path))


def test_other_ranks_have_no_run_and_write_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    logger = wandb_logger(str(tmp_path), mode="online", tags=["mine"])
    logger.log_hyperparams({"seed": 0})
    logger.log_metrics({"epoch": 0})
    logger.finish(failed=False)
    assert not list(tmp_path.iterdir())
    assert logger.version is None
    monkeypatch.setattr(rank_zero_only, "rank", 0)
    made = run_id(tmp_path)
    assert logger.version == made, "the same for all ranks"


@pytest.mark.parametrize(
    ("given", "shared"),
    [
        ("/home/somebody/data", "~/data"),
        ("/home/somebody", "~"),
        ("file:/home/somebody/data", "file:~/data"),
        ("/data/somebody", "/data/somebody"),
        ("data", "data"),
        ("/home/somebodyelse/data", "/home/somebodyelse/data"),
        ("/mnt/home/somebody/data", "/mnt/home/somebody/data"),
        (3, 3),
        (None, None),
        (True, True),
        ({"root": ["/home/somebody/a", {"b": "/home/somebody/c"}]}, {"root": ["~/a", {"b": "~/c"}]}),
    ],
)
def test_paths_below_the_home_directory_do_not_name_it(given, shared):
    assert hide_home(given, "/home/somebody") == shared


def test_a_home_that_is_the_root_hides_nothing():
    assert hide_home("/data/cifar", "/") == "/data/cifar"


def test_the_code_is_that_of_the_last_start(tmp_path):
    assert describe_code(tmp_path) == {}
    start = {"command": ["python"], "overrides": ["seed=1"], "lta": "1", "code": "abc", "git": {"commit": "def"}}
    (tmp_path / "run.json").write_text(json.dumps({"starts": [{"lta": "0"}, start]}))
    assert describe_code(tmp_path) == {"lta": "1", "code": "abc", "git": {"commit": "def"}}


class Broken:
    """W&B's run whose service has died, or hangs."""

    def __init__(self, part, error=None):
        self.dir, self.offline, self.error, self.calls = str(part / "files"), True, error, 0

    def log(self, metrics):
        self.calls += 1
        if self.error is None:
            time.sleep(30)  # in a daemon thread: nothing waits for it
        else:
            raise self.error

    def finish(self, exit_code):
        self.calls += 1


@pytest.mark.parametrize(("error", "says"), [(ConnectionResetError("lost"), "lost"), (None, "it does not answer")])
def test_one_line_when_the_service_is_gone(tmp_path, monkeypatch, caplog, error, says):
    abandoned = []
    monkeypatch.setattr(logger_module, "abandon", lambda: abandoned.append(True))
    if error is None:
        monkeypatch.setattr(logger_module, "CALL", 0.05)
    run = Broken(tmp_path / "offline-run-1-abc", error)
    logger = RunLogger(tmp_path, "lta", run)
    with caplog.at_level(logging.WARNING):
        for epoch in range(3):
            logger.log_metrics({"epoch": epoch})
        logger.finish(failed=False)
    assert run.calls == 1, "it is asked no more"
    assert abandoned == [True]
    (line,) = caplog.messages
    assert line == (
        f"W&B stopped ({says}): metrics.csv and attention/ are complete without it; to send what W&B has on disk: "
        f"wandb sync {tmp_path}/offline-run-1-abc"
    )


def test_calls_have_a_bound():
    assert call_within(5, lambda: 3) == 3
    with pytest.raises(NoAnswer, match=r"no answer within 0\.05 s"):
        call_within(0.05, lambda: time.sleep(1))
    with pytest.raises(KeyError):
        call_within(5, lambda: {}["nothing"])
    with pytest.raises(RuntimeError, match="SystemExit"):
        call_within(5, lambda: exit(3))


def test_reasons_are_one_line():
    assert reason(ValueError("no\n  answer ")) == "no answer"
    assert reason(KeyboardInterrupt()) == "KeyboardInterrupt"


def test_a_server_is_asked_what_it_has_and_offline_parts_count_in_any_case(tmp_path, monkeypatch):
    rows = {
        "offline-run-1-x": [{"epoch": 0, "time/seconds": 1.0}],
        "run-2-x": [{"epoch": 1, "time/seconds": 1.0}],
        "offline-run-3-x": [{"epoch": 4, "time/seconds": 1.0}, {"epoch": 4, "test/error": 1.0}],
    }
    monkeypatch.setattr("lta.loggers.wandb_parts.rows", lambda part: rows[part.name])
    earlier = [tmp_path / name for name in rows]

    def having(offline=False, resumed=True, **summary):
        return read_logged_rows(earlier, SimpleNamespace(offline=offline, resumed=resumed, summary=summary))

    assert having(epoch=2) == ({0, 1, 2, 4}, True)
    assert having() is None, "an empty summary says that the server was too slow to tell"
    assert having(resumed=False, epoch=2) == ({0, 4}, True)
    assert having(offline=True) == ({0, 1, 4}, True)
    assert read_logged_rows(earlier[:1], SimpleNamespace(offline=True)) == ({0}, False)
