"""Processes of a sweep, with shell commands in the place of trainings."""

import os
import signal
import subprocess
import sys
import time

import pytest

from lta.sweep import jobs as sweep_jobs
from lta.sweep.jobs import Job, find_reason, run_jobs
from lta.sweep.resources import Slot


def shell(tmp_path, *scripts):
    return [Job(str(i), tmp_path / str(i), ["sh", "-c", script]) for i, script in enumerate(scripts)]


def run_all(jobs, slots=1, **options):
    run_jobs(jobs, [Slot()] * slots, os.environ, **options)
    return [job.status for job in jobs]


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_so_many_at_a_time_in_their_order(tmp_path, slots):
    record = tmp_path / "record"
    jobs = shell(tmp_path, *(f"echo + {i} >> {record}; sleep 0.2; echo - {i} >> {record}" for i in range(5)))
    assert run_all(jobs, slots) == ["done"] * 5
    now, most, started = 0, 0, []
    for line in record.read_text().splitlines():
        sign, number = line.split()
        now += 1 if sign == "+" else -1
        most = max(most, now)
        if sign == "+":
            started.append(int(number))
    assert most == slots
    assert all(number - slots < place < number + slots for place, number in enumerate(started))
    assert all(0.2 <= job.seconds < 5 for job in jobs)


def test_a_failing_job_stops_no_other_and_says_why(tmp_path):
    jobs = shell(tmp_path, "echo hello; echo 'error: no data' >&2; exit 3", "true", "kill -9 $$", "echo what; exit 0")
    assert run_all(jobs, complete=lambda job: job.name != "3") == ["failed", "done", "failed", "failed"]
    assert [(job.ended, job.why) for job in jobs if job.status == "failed"] == [
        ("status 3", "no data"),
        ("SIGKILL", "it said nothing"),
        ("status 0", "it ended without results; its last line: what"),
    ]


def test_the_console_is_kept_and_the_reason_is_that_of_the_last_start(tmp_path):
    (first,) = shell(tmp_path, "echo error: long ago; exit 1")
    run_all([first])
    (again,) = shell(tmp_path, "echo something else; exit 1")
    run_all([again])
    assert again.why == "something else"
    assert again.log.read_text().splitlines() == [
        "$ sh -c 'echo error: long ago; exit 1'",
        "error: long ago",
        "$ sh -c 'echo something else; exit 1'",
        "something else",
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("a\nerror: one\nTraceback\nKeyError: 'x'\nbye", "one"),
        ("Traceback (most recent call last):\n  File x\ntorch.OutOfMemoryError: no\nbye", "torch.OutOfMemoryError: no"),
        ("10%\r20%\rlast\n\n", "last"),
        ("", ""),
    ],
)
def test_reason(said, why):
    assert find_reason(said) == why


def test_what_is_not_waiting_does_not_run(tmp_path):
    jobs = shell(tmp_path, "true", "true", "true")
    jobs[0].status = "skipped"
    jobs[1].refuse("it can't")
    seen = []
    assert run_all(jobs, changed=lambda job: seen.append((job.name, job.status))) == ["skipped", "failed", "done"]
    assert seen == [("2", "running"), ("2", "done")]
    assert not jobs[0].directory.exists()


def gone(path, within=3.0):
    """Whether the process whose id stands in this file has ended."""
    number, end = int(path.read_text()), time.monotonic() + within
    while time.monotonic() < end:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_processes_that_outlive_the_first_are_killed(tmp_path):
    jobs = shell(tmp_path, f"sleep 60 & echo $! > {tmp_path}/grandchild")
    assert run_all(jobs) == ["done"]
    assert gone(tmp_path / "grandchild")


def test_nothing_is_left_running_after_something_unforeseen(tmp_path):
    jobs = shell(
        tmp_path, f"sleep 60 & echo $! > {tmp_path}/grandchild; wait", f"sleep 0.5; test -s {tmp_path}/grandchild; exit 1"
    )

    def changed(job):
        if job.status == "failed":
            raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError, match="unforeseen"):
        run_all(jobs, 2, changed=changed)
    assert gone(tmp_path / "grandchild")


SWEEP = """
import os, signal, sys
from pathlib import Path
from lta.sweep import jobs
from lta.sweep.resources import Slot
where, grace, ignored, scripts = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3], sys.argv[4:]
jobs.GRACE = grace
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # a shell's background jobs ignore Ctrl-C
    signal.signal(number, signal.SIG_DFL)
if ignored:
    signal.signal(getattr(signal, ignored), signal.SIG_IGN)
before = signal.getsignal(signal.SIGTERM)
all_jobs = [jobs.Job(str(i), where / str(i), ["sh", "-c", script]) for i, script in enumerate(scripts)]
try:
    jobs.run_jobs(all_jobs, [Slot()] * 2, os.environ)
except SystemExit as stop:
    print(stop, flush=True)
    raise
finally:
    print([job.status for job in all_jobs], [job.ended for job in all_jobs], flush=True)
    assert signal.getsignal(signal.SIGTERM) is before
"""

FAMILY = "trap 'echo told >> {0}/told; sleep {3}; exit 5' TERM INT HUP; {1} & echo $! > {0}/{2}.pid; wait $!; wait"
"""A job with a process of its own, of which it waits the end."""


def sweep(tmp_path, *scripts, grace=20.0, ignored=""):
    command = [sys.executable, "-c", SWEEP, str(tmp_path), str(grace), ignored, *scripts]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def wait_for(*paths):
    end = time.monotonic() + 20
    while not all(path.is_file() and path.read_text() for path in paths):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_reaches_every_process_of_every_running_job(tmp_path, number):
    names = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C", signal.SIGHUP: "SIGHUP"}
    own = FAMILY.format(
        tmp_path, "python3 -c 'import signal, time; signal.signal(2, signal.SIG_DFL); time.sleep(60)'", "{}", "{}"
    )
    running = sweep(tmp_path, "true", own.format(0, "a"), own.format(0.5, "b"), "true")
    wait_for(tmp_path / "a.pid", tmp_path / "b.pid")
    time.sleep(0.3)  # the grandchildren have come up
    begin = time.monotonic()
    running.send_signal(number)
    out, _ = running.communicate(timeout=15)
    assert running.returncode == 128 + number
    assert time.monotonic() - begin < 5
    assert f"stopped by {names[number]}; 1 of 4 jobs done; repeat the command to continue" in out
    assert "['done', 'stopped', 'stopped', 'waiting'] ['', 'status 5', 'status 5', '']" in out
    assert (tmp_path / "told").read_text() == "told\ntold\n"
    assert gone(tmp_path / "a.pid")
    assert gone(tmp_path / "b.pid")
    assert not (tmp_path / "3").exists()


DEAF = "trap '' TERM INT; sleep 60 & echo $! > {}/deaf.pid; wait"


def test_a_job_that_does_not_end_is_killed_after_its_grace(tmp_path):
    running = sweep(tmp_path, DEAF.format(tmp_path), grace=0.5)
    wait_for(tmp_path / "deaf.pid")
    begin = time.monotonic()
    running.send_signal(signal.SIGTERM)
    out, _ = running.communicate(timeout=15)
    assert 0.5 <= time.monotonic() - begin < 5
    assert "['stopped'] ['SIGKILL']" in out
    assert running.returncode == 143
    assert gone(tmp_path / "deaf.pid")


def test_a_second_ctrl_c_shortens_the_grace(tmp_path):
    running = sweep(tmp_path, DEAF.format(tmp_path))
    wait_for(tmp_path / "deaf.pid")
    running.send_signal(signal.SIGINT)
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)  # the same one, which a terminal and a launcher both sent
    time.sleep(1.2)
    assert running.poll() is None
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=5)
    assert "['stopped'] ['SIGKILL']" in out
    assert running.returncode == 130


def test_a_signal_that_was_to_be_ignored_is(tmp_path):
    running = sweep(tmp_path, f"echo up > {tmp_path}/up; sleep 0.5", ignored="SIGHUP")  # as by nohup
    wait_for(tmp_path / "up")
    running.send_signal(signal.SIGHUP)
    out, _ = running.communicate(timeout=15)
    assert running.returncode == 0
    assert "['done']" in out


def test_twenty_seconds_are_the_grace():
    assert sweep_jobs.GRACE == 20
