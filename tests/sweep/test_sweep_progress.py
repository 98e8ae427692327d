"""What is said while a sweep runs."""

import io
import sys
from pathlib import Path

import pytest

from lta.sweep.jobs import Job
from lta.sweep.progress import Progress, time_left


def jobs(*states):
    made = [Job(f"seed-{i}", Path(f"seed-{i}")) for i, _ in enumerate(states)]
    for job, (status, seconds) in zip(made, states, strict=True):
        job.status, job.seconds = status, seconds
    return made


@pytest.mark.parametrize(
    ("states", "slots", "seconds"),
    [
        ([("done", 10), ("done", 30), ("running", 0), ("waiting", 0), ("waiting", 0)], 2, 30),
        ([("done", 10), ("failed", 1), ("skipped", 0), ("running", 0)], 4, 10),  # one job takes its time in any case
        ([("failed", 1), ("waiting", 0)], 1, None),
        ([("done", 1), ("skipped", 0)], 1, None),
        ([], 1, None),
    ],
)
def test_time_left(states, slots, seconds):
    assert time_left(jobs(*states), slots) == seconds


def figures(job):
    return {"val/error": 9.125, "test/error": 8.7, "other": None}


def test_a_line_at_each_end_where_there_is_no_terminal(capsys):
    all_jobs = jobs(("done", 182.0), ("skipped", 0), ("running", 0), ("running", 0), ("waiting", 0))
    progress = Progress(all_jobs, 2, 10, figures)
    progress(all_jobs[2])
    progress(all_jobs[0])
    all_jobs[2].status, all_jobs[2].ended, all_jobs[2].why = "failed", "status 1", "no data"
    progress(all_jobs[2])
    all_jobs[3].status = "stopped"
    progress(all_jobs[3])
    progress.close()
    assert capsys.readouterr().out.splitlines() == [
        "[12/15] seed-0: val/error 9.12, test/error 8.7 (3 min 2 s); 2 running, about 4 min 33 s left",
        "[13/15] seed-2: failed (status 1): no data (0.0 s); 1 running, about 3 min 2 s left",
        "seed-3: stopped (0.0 s); about 3 min 2 s left",
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_on_a_terminal(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "120")
    all_jobs = jobs(("done", 60.0), ("skipped", 0), ("running", 0), ("waiting", 0))
    progress = Progress(all_jobs, 1, 0, figures)
    progress(all_jobs[0])
    assert "sweep 2/4 |" in screen.getvalue()
    assert "|, 1 running, 1 skipped, about 2 min 0 s left" in screen.getvalue()
    assert "seed-0" not in screen.getvalue()
    all_jobs[2].status, all_jobs[2].why = "failed", "no data"
    progress(all_jobs[2])
    progress.close()
    assert "seed-2: failed (): no data" in screen.getvalue()
    assert "sweep 3/4 |" in screen.getvalue()


class Gone(io.StringIO):
    def write(self, text):
        raise OSError(5, "Input/output error")


def test_a_screen_that_is_gone_ends_no_sweep(monkeypatch):
    all_jobs = jobs(("done", 1.0), ("waiting", 0))
    monkeypatch.setattr(sys, "stdout", Gone())
    progress = Progress(all_jobs, 1, 0, figures)
    progress(all_jobs[0])
    progress.close()
