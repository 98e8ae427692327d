"""One call of a sweep: what must run, on which share of the machine, and what it says."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lta import checks
from lta.runtime import run_directory
from lta.sweep import records, table
from lta.sweep.jobs import Job, run_jobs
from lta.sweep.names import check_distinct
from lta.sweep.progress import Progress, say
from lta.sweep.resources import Slot, count_gpus, count_processes_in_slot, make_slots, visible_cores, visible_gpus

VERIFIED_SINCE = "LTA_VERIFIED_SINCE"
"""Tells the jobs when the sweep began: what one of them has read in full since (`data.verify=full`), the others don't."""

NAMED = 10
"""So many skipped jobs are named on the screen."""


def check_options(slots: Any, code: Any, objective: Any) -> None:
    """Raises ValueError for a launcher's settings that can't be."""
    if slots != "auto" and (isinstance(slots, bool) or not isinstance(slots, int) or slots < 1):
        raise ValueError(f"hydra.launcher.slots={slots} must be auto or a whole number, at least 1")
    checks.require_choice("hydra.launcher.code", code, records.CODES)
    if objective is not None and not isinstance(objective, str):
        raise ValueError(f"hydra.launcher.objective={objective} must be the name of a metric, like val/error")
    if objective and objective.startswith("test"):
        raise ValueError(f"hydra.launcher.objective={objective}: nothing may be chosen by the test set; choose one of val/*")


def run_sweep(
    jobs: Sequence[Job],
    directory: Path,
    slots: int | str,
    code: str,
    environment: Mapping[str, str],
    before: int,
    show: bool,
) -> None:
    """Brings every job to its end, each in its directory; those that are done already do not run.

    Raises ValueError before anything runs where the sweep as a whole is impossible, Stopped after a signal. `before` jobs
    of the same sweep have run in earlier batches. The summary is written to `directory`, and printed if `show`.
    """
    check_distinct([job.name for job in jobs])
    places = _allocate_slots(jobs, slots, environment)
    records.settle(jobs, code)
    auto = ", " + _describe_slots(places) if slots == "auto" else ""
    say(f"sweep: {len(jobs)} job{'s' * (len(jobs) != 1)} in {directory}, {len(places)} at a time{auto}")
    skipped = [job.name for job in jobs if job.status == "skipped"]
    if skipped:
        more = f" and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
        say(f"finished before, so skipped: {', '.join(skipped[:NAMED])}{more}")
    progress = Progress(jobs, len(places), before, read_metrics)
    try:
        for job in jobs:
            if job.status in ("failed", "elsewhere"):
                progress(job)
        run_jobs(
            jobs,
            places,
            {VERIFIED_SINCE: str(time.time_ns()), **environment},
            complete=lambda job: run_directory.read_finished_results(job.directory) is not None,
            changed=progress,
        )
    finally:
        progress.close()
    summary = table.collect(directory, jobs)
    table.save(summary)
    for part in (table.render_text(summary) if show else "", table.render_failures(jobs)):
        if part:
            say(part)


def read_metrics(job: Job) -> dict[str, float | None]:
    """A finished job's errors, by key; None where it has none."""
    return {key: records.find_metric(_read_results(job), key) for key in ("val/error", "test/error")}


def read_objective(job: Job, key: str | None) -> float | None:
    """What the job returns to the sweeper."""
    return records.find_metric(_read_results(job), key) if key else None


def _read_results(job: Job) -> dict[str, Any] | None:
    return run_directory.read_results(job.directory)


def _allocate_slots(jobs: Sequence[Job], slots: int | str, environment: Mapping[str, str]) -> list[Slot]:
    trainers = {job.name: job.config.get("trainer", {}) for job in jobs if job.config is not None}
    asked = {name: count_gpus(trainer) for name, trainer in trainers.items()}
    most = max(asked.values(), default=0)
    gpus = visible_gpus(environment) if most else []
    number = min(max(len(gpus) // max(most, 1), 1), len(jobs)) if isinstance(slots, str) else slots
    places = make_slots(number, gpus, visible_cores())
    if gpus and most > len(places[0].gpus):
        name = max(asked, key=lambda name: asked[name])
        raise ValueError(
            f"{name} asks for {most} GPUs by trainer.devices, but has {len(places[0].gpus)} of {len(gpus)} with "
            f"hydra.launcher.slots={number}: choose fewer of either"
        )
    for job in jobs:
        job.processes = count_processes_in_slot(places[0], trainers.get(job.name, {}))
    return places


def _describe_slots(places: Sequence[Slot]) -> str:
    if not places[0].gpus:
        return "as no GPU is used; hydra.launcher.slots=N runs N at a time"
    return f"on GPU {', '.join('+'.join(place.gpus) for place in places)}"
