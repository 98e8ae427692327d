"""Which process of a run this is, and that none outlives its first."""

import subprocess
import sys
import time

import pytest

from lta.cli.resolvers import _claim_directory
from lta.runtime import ranks, rendezvous
from lta.runtime.rendezvous import agree_on_directory


@pytest.mark.parametrize(
    ("environment", "place", "log"),
    [
        ({}, (0, 0), "run.log"),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, (0, 0), "run.log"),
        ({"LOCAL_RANK": "2", "NODE_RANK": "0"}, (0, 2), "run_rank2.log"),
        ({"NODE_RANK": "1"}, (1, 0), "run_node1_rank0.log"),
        ({"NODE_RANK": "1", "LOCAL_RANK": "3"}, (1, 3), "run_node1_rank3.log"),
        ({"RANK": "5", "LOCAL_RANK": "1", "GROUP_RANK": "1"}, (0, 5), "run_rank5.log"),  # torchrun
        ({"SLURM_PROCID": "3"}, (0, 3), "run_rank3.log"),  # srun
        ({"SLURM_PROCID": "0", "LOCAL_RANK": "1"}, (0, 1), "run_rank1.log"),  # Lightning's, inside a job
    ],
)
def test_place_and_log(monkeypatch, environment, place, log):
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ranks.find_rank() == place
    assert ranks.log_name() == log
    assert ranks.is_first() == (place == (0, 0))


@pytest.mark.parametrize(
    ("environment", "started"),
    [({}, False), ({"LOCAL_RANK": "0"}, False), ({"LOCAL_RANK": "1"}, True), ({"LOCAL_RANK": "1", "RANK": "1"}, False)],
)
def test_who_started_it(monkeypatch, environment, started):
    for name in ("RANK", "LOCAL_RANK", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert ranks.is_started_by_lightning() == started


def test_a_process_ends_with_its_parent():
    orphan = (
        "import time; from lta.runtime.ranks import end_with_parent; "
        "end_with_parent(0.05); print(1, flush=True); time.sleep(60)"
    )
    parent = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdout=subprocess.PIPE); "
        "child.stdout.readline(); print(child.pid, flush=True)"
    )
    child = int(subprocess.run([sys.executable, "-c", parent, orphan], capture_output=True, check=True).stdout)
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.05)


def _runs(pid):
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_torchruns_first_process_takes_a_directory_that_no_other_run_has(tmp_path, monkeypatch):
    """The others are told which: they don't claim one of their own."""
    from torch.distributed import TCPStore

    server = TCPStore("127.0.0.1", 0, is_master=True)
    for name, value in {
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(server.port),
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "now").mkdir(parents=True)
    found = []
    for first in (True, False):
        monkeypatch.setattr(rendezvous, "is_first", lambda first=first: first)
        agree_on_directory.cache_clear()
        found.append(agree_on_directory("runs/now" if first else "runs/later", _claim_directory))
    agree_on_directory.cache_clear()
    assert found == ["runs/now_2", "runs/now_2"]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["now", "now_2"]
