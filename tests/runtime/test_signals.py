"""Signals: what they raise, when, and how whole runs of one and of several processes end by them."""

import os
import shlex
import signal
import subprocess
import threading
import time
from unittest.mock import Mock

import processes
import pytest
import pytorch_lightning as pl
import torch
from commands import TINY, command, environment
from path_names import ODD

from lta.callbacks.stopping import Stopping
from lta.cli.path_settings import unquote
from lta.cli.quoting import quote_arguments
from lta.runtime import signals as signals_module
from lta.runtime.run_directory import describe_way_on, write_results
from lta.runtime.signals import Signals, Stopped


@pytest.fixture
def signals():
    watched = Signals()
    with watched.catch():
        yield watched


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_program_at_once(signals, number, code):
    with pytest.raises(Stopped) as stopped:
        os.kill(os.getpid(), number)
    assert stopped.value.code == code
    assert signals_module.NAMES[number] in str(stopped.value)


def test_a_program_that_looks_itself_is_ended_by_a_later_one(signals, monkeypatch):
    signals.deferred = True
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)  # the same request, sent to a group and to its members
    assert signals.received == signal.SIGTERM
    monkeypatch.setattr(signals_module, "INSISTS", -1.0)
    with pytest.raises(Stopped, match="Ctrl-C"):
        os.kill(os.getpid(), signal.SIGINT)


def test_a_stopped_run_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs/mine"
    (run / "checkpoints").mkdir(parents=True)

    def said():
        with pytest.raises(Stopped) as stopped, signals_module.add_hint(lambda: describe_way_on(run)):
            raise Stopped(signal.SIGTERM)
        return str(stopped.value)

    assert str(Stopped(signal.SIGTERM)) == "stopped by SIGTERM", "what is no run has nothing to go on with"
    assert said() == "stopped by SIGTERM; nothing was begun"
    (run / "config.yaml").touch()
    assert said() == "stopped by SIGTERM; resume=runs/mine begins it again: no epoch was complete"
    (run / "checkpoints/previous.ckpt").touch()
    assert said() == "stopped by SIGTERM; resume=runs/mine goes on from the last complete epoch"
    write_results(run, {"test": {}}, complete=False)
    assert said() == "stopped by SIGTERM; its results are in runs/mine; resume=runs/mine asks and sends what is missing"
    write_results(run, {"test": {}}, complete=True)
    assert said() == "stopped by SIGTERM; its results are in runs/mine"
    monkeypatch.chdir(run)
    assert said().endswith("in .")
    monkeypatch.chdir(run / "checkpoints")
    assert said().endswith(f"in {run}")


def test_at_the_end_all_is_as_before():
    before = {number: signal.getsignal(number) for number in signals_module.NAMES}
    with Signals().catch():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in signals_module.NAMES} == before


def test_a_job_managers_own_handler_stays():
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(True))
    try:
        with Signals().catch():
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [True]


def test_a_further_process_tells_the_first(monkeypatch):
    told = []
    watched = Signals()
    with watched.catch(tell=12345), monkeypatch.context() as patch:
        own = os.getpid()
        kill = os.kill
        patch.setattr(os, "kill", lambda pid, number: told.append((pid, number)))
        kill(own, signal.SIGTERM)
        watched.deferred = True  # training: all processes look at what any of them received
        kill(own, signal.SIGTERM)
    assert told == [(12345, signal.SIGTERM)]


def test_other_threads_leave_signals_alone():
    before = signal.getsignal(signal.SIGTERM)

    def run():
        with Signals().catch():
            found.append(signal.getsignal(signal.SIGTERM))

    found = []
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [before]


@pytest.mark.parametrize(
    ("job", "asked"),
    [
        ({"SLURM_JOB_ID": "17"}, "requeue 17"),
        ({"SLURM_JOB_ID": "18", "SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": "3"}, "requeue 17_3"),
    ],
)
def test_requeue_asks_slurm(tmp_path, monkeypatch, caplog, job, asked):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    signals_module.requeue()
    assert (tmp_path / "asked").read_text().strip() == asked
    scontrol.write_text("#!/bin/sh\necho no such job >&2; exit 1\n")
    signals_module.requeue()
    assert "could not be requeued: no such job" in caplog.text
    scontrol.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    signals_module.requeue()
    assert "could not be requeued: [Errno 2]" in caplog.text


def test_several_processes_look_after_the_first_step_then_about_once_a_second():
    trainer, module, watching = Mock(spec=pl.Trainer), Mock(spec=pl.LightningModule), Stopping()
    trainer.world_size, trainer.strategy.root_device = 2, torch.device("cpu")
    look = trainer.strategy.reduce
    look.side_effect = lambda mine, reduce_op: mine  # the other one received nothing and is as fast
    watching.on_train_start(trainer, module)
    watching.on_train_batch_end(trainer, module, None, None, 0)
    assert look.call_count == 2, "a signal is seen in the first epoch too"
    for _ in range(500):
        watching.on_train_batch_end(trainer, module, None, None, 0)
    assert look.call_count <= 50, "steps of no time: many pass before the next look"
    watching.on_exception(trainer, module, RuntimeError())
    assert not signals_module.signals.deferred


LONG = (*TINY, "recipe.epochs=200", "data.train_size=640", "data.val_size=33", "data.eval_batch_size=4")
"""Unequally many validation batches in two processes."""

TWO = ("trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2")


def gone(pid, within=10.0):
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()
        if not state or state.startswith("Z"):
            return True
        time.sleep(0.1)
    return False


class Running:
    """A run of its own process group, after its first epoch."""

    def __init__(self, directory, *options):
        arguments = [argument for argument in LONG if not (options and argument == "trainer=cpu")]
        program = command(*arguments, *options, f"hydra.run.dir={directory}")
        self.process = processes.Started(program, cwd=directory.parent, env=environment(), start_new_session=True)
        while not (directory / "checkpoints" / "last.ckpt").is_file():
            assert self.process.poll() is None, self.process.stderr
            time.sleep(0.05)
        self.pid, self.others = self.process.pid, processes.list_children(self.process.pid)

    def ended(self):
        """Exit status and standard error; nothing may be left running."""
        try:
            status = self.process.wait(timeout=60)
            assert all(gone(pid) for pid in self.others), "a process of the run is left"
            return status, self.process.stderr
        finally:
            if self.process.poll() is None:
                os.killpg(self.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(("sent", "status", "says"), [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "Ctrl-C")])
def test_a_stopped_run_says_so(tmp_path, sent, status, says):
    run = Running(tmp_path / "run")
    os.kill(run.pid, sent)
    found, err = run.ended()
    assert found == status
    assert err.count(f"stopped by {says}; resume=run goes on from the last complete epoch\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda run: os.kill(run.pid, signal.SIGTERM), 143),
        (lambda run: os.kill(run.others[0], signal.SIGTERM), 143),
        (lambda run: [os.kill(pid, signal.SIGTERM) for pid in (run.pid, *run.others)], 143),
        (lambda run: os.killpg(run.pid, signal.SIGTERM), 143),
        (lambda run: os.killpg(run.pid, signal.SIGINT), 130),
        (lambda run: os.kill(run.pid, signal.SIGKILL), -9),
        (lambda run: os.kill(run.others[0], signal.SIGKILL), 1),
    ],
    ids=["first", "other", "each", "group", "ctrl-c", "kill first", "kill other"],
)
def test_two_processes_stop_together_and_never_hang(tmp_path, send, status):
    run = Running(tmp_path / "run", *TWO)
    assert len(run.others) == 1
    send(run)
    found, err = run.ended()
    assert found == status
    if status > 128:
        assert err.count("stopped by") == 1
        assert "Traceback" not in err
    elif status == 1:
        assert "process 1 of this run ended before, with status -9" in (tmp_path / "run" / "run.log").read_text()


@pytest.mark.slow
def test_slurms_announcement_puts_the_job_back_into_the_queue(tmp_path):
    """What Slurm sends before a job's time is over; then the same command again, in the same directory."""
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    slurm = {
        **environment(),
        "PATH": f"{scontrol.parent}{os.pathsep}{os.environ['PATH']}",
        "SLURM_JOB_ID": "4711",
        "SLURM_NTASKS": "1",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_JOB_NAME": "attention",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NODELIST": "localhost",
    }
    options = command(*TINY, "recipe.epochs=6", "data.train_size=640", "resume=auto", f"hydra.run.dir={tmp_path}/run")
    first = processes.Started(options, cwd=tmp_path, env=slurm)
    while not (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file():
        assert first.poll() is None, first.stderr
        time.sleep(0.05)
    first.send_signal(signal.SIGUSR1)
    assert first.wait(timeout=60) == 128 + signal.SIGUSR1
    assert "stopped by SIGUSR1" in first.stderr
    assert (tmp_path / "asked").read_text().split() == ["requeue", "4711"]
    again = processes.run(options, cwd=tmp_path, env=slurm, check=True)
    assert "test error" in again.stdout
    epochs = [line.split(",")[0] for line in (tmp_path / "run" / "metrics.csv").read_text().splitlines()[1:]]
    assert epochs == [str(epoch) for epoch in range(6)]
    assert not list((tmp_path / "run").rglob("hpc_ckpt*")), "Lightning's own requeueing is off"


def test_the_way_on_can_be_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ODD:
        run = tmp_path / name
        run.mkdir()
        (run / "config.yaml").touch()
        word = shlex.split(describe_way_on(run))[0]
        assert word == f"resume={name}"
        (changed,) = quote_arguments([word])
        assert unquote(changed.partition("=")[2]) == name
