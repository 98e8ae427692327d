"""What the run directories of a sweep say: whether a job is done, by which code, with which settings and figures."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lta.cli.migrate import read_config
from lta.runtime import run_directory
from lta.sweep.jobs import Job

CODES = ("same", "any", "rerun")


def code_of(directory: Path) -> str:
    """The version of the code that finished the run, or "unknown"."""
    starts = run_directory.starts_of(directory)
    return starts[-1].get("code", "unknown") if starts else "unknown"


def overrides_of(directory: Path) -> dict[str, str] | None:
    """What the run was asked for on the command line; None where it did not come to begin."""
    starts = run_directory.starts_of(directory)
    if not starts:
        return None
    pairs = (override.partition("=") for override in starts[-1]["overrides"])
    return {key: value for key, _, value in pairs if key != "resume"}


def config_of(directory: Path) -> dict[str, Any] | None:
    """The run's resolved configuration, as this version would have written it; None where it did not come to begin."""
    path = directory / "config.yaml"
    return read_config(path) if path.is_file() else None


def find_metric(results: Mapping[str, Any] | None, key: str) -> float | None:
    """Of the test for `test/...`, else of the last epoch; None where there is none."""
    if results is None:
        return None
    if key.startswith("test/"):
        return results["test"].get(key.removeprefix("test/"))
    return results["history"][-1].get(key) if results["history"] else None


def settle(jobs: Sequence[Job], code: str) -> None:
    """Marks what need not run: skipped what is done already, refused what another run's directory stands in the way of,
    elsewhere what another process runs.

    `code` is one of CODES: what becomes of runs that other code has finished than the job's `version`. Raises ValueError
    where that is "same" and there are some, before anything is changed.
    """
    waiting = [job for job in jobs if job.status == "waiting"]
    finished = {job.name for job in waiting if run_directory.read_finished_results(job.directory)}
    for job in waiting:
        aside = code == "rerun" and job.name in finished and code_of(job.directory) != job.version
        saved = config_of(job.directory)
        if (
            not aside
            and saved is not None
            and job.config is not None
            and (differs := run_directory.find_difference(saved, job.config))
        ):
            key, before, now = differs
            job.refuse(
                f"{job.directory} holds a run with {key}={before}, not {key}={now}: choose another hydra.sweep.dir, "
                "or move that directory away"
            )
    others = [
        job for job in waiting if job.status == "waiting" and job.name in finished and code_of(job.directory) != job.version
    ]
    if others and code == "same":
        versions = ", ".join(sorted({code_of(job.directory) for job in others}))
        now = ", ".join(sorted({job.version for job in others}))
        raise ValueError(
            f"{len(others)} of the {len(jobs)} jobs were finished by other versions of the code ({versions}; now {now}): "
            "hydra.launcher.code=any takes them as they are, rerun moves them aside and runs them again"
        )
    if code == "rerun":
        for job in others:
            _move_aside(job.directory)
            finished.remove(job.name)
    for job in waiting:
        if job.status == "waiting" and job.name in finished:
            if why := run_directory.describe_divergence(run_directory.read_results(job.directory) or {}):
                job.status, job.ended, job.why = "failed", "before", why  # it would diverge again
            else:
                job.status = "skipped"
        elif job.status == "waiting" and run_directory.is_being_run(job.directory):
            job.status, job.why = "elsewhere", "another process is running it; repeat the command when that has ended"


def _move_aside(directory: Path) -> None:
    """To a name that no job has; never onto something."""
    target = directory.with_name(f"{directory.name}@{code_of(directory)}")
    number = 1
    while target.exists():
        number += 1
        target = directory.with_name(f"{directory.name}@{code_of(directory)}_{number}")
    os.rename(directory, target)
