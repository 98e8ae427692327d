"""The end of a sweep: its runs and, over their seeds, mean and standard deviation; as text, sweep.json, sweep.csv and
sweep_means.csv."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lta.runtime import run_directory
from lta.runtime.console import format_duration
from lta.runtime.files import write_json, write_text
from lta.runtime.spreadsheets import render_table
from lta.sweep.jobs import Job
from lta.sweep.records import code_of, config_of, find_metric, overrides_of

FIGURES = ("test/error", "val/error")
"""Percent; `val` is that of the last epoch."""

DIGITS = 4
"""Of an error in percent, in a table."""


def collect(directory: Path, jobs: Sequence[Job]) -> dict[str, Any]:
    """All runs that lie in the sweep's directory, those of `jobs` first, and the groups that differ in more than the seed.

    A run counts if it is finished and, if it is one of `jobs`, is the run that was asked for.
    """
    names = [job.name for job in jobs]
    found = sorted(path.parent.name for path in directory.glob("*/console.log") if "@" not in path.parent.name)
    asked = {job.name: job for job in jobs}
    runs = [_collect_run(directory / name, asked.get(name)) for name in dict.fromkeys([*names, *found])]
    begun = [overrides for name in names + found if (overrides := overrides_of(directory / name)) is not None]
    keys = _find_varying_keys(begun, jobs)
    for run in runs:
        run["overrides"] = {key: value for key, value in run["overrides"].items() if key in keys}
    groups: dict[tuple, list[dict[str, Any]]] = {}
    for run in runs:
        if run["status"] == "finished":
            groups.setdefault(tuple((key, run["overrides"].get(key, "")) for key in keys if key != "seed"), []).append(run)
    return {
        "directory": str(directory),
        "groups": [_summarise_group(dict(key), members) for key, members in groups.items()],
        "runs": runs,
    }


def _collect_run(directory: Path, job: Job | None) -> dict[str, Any]:
    diverged = run_directory.describe_divergence(run_directory.read_results(directory) or {})
    failed = job is not None and job.status == "failed"  # the directory may hold a run, but another than was asked for
    results = None if failed or diverged else run_directory.read_results(directory)
    status = "diverged" if diverged else "failed" if failed else "unfinished" if results is None else "finished"
    if job is not None and job.status == "elsewhere":
        status = "running elsewhere"
    return {
        "directory": directory.name,
        "status": status,
        "why": diverged or (job.why if job is not None and failed else None),
        "overrides": overrides_of(directory) or (dict(job.varying) if job else {}),
        "seed": (config_of(directory) or {}).get("seed"),
        "code": code_of(directory),
        "precision": results.get("precision") if results else None,
        **{key: find_metric(results, key) for key in FIGURES},
        "seconds": results["seconds"] if results else None,
    }


def _find_varying_keys(begun: Sequence[dict[str, str]], jobs: Sequence[Job]) -> list[str]:
    """What this sweep varies, and what differs between the runs that were begun by several sweeps in one directory."""
    keys = {key for job in jobs for key in job.varying}
    keys |= {key for one in begun for key, value in one.items() if any(other.get(key) != value for other in begun)}
    return sorted(keys)


def _summarise_group(overrides: dict[str, str], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    seconds = [run["seconds"] for run in runs if run["seconds"] is not None]
    return {
        "overrides": overrides,
        "n": len(runs),
        "seeds": [run["seed"] for run in runs],
        **{key: _compute_spread([run[key] for run in runs if run[key] is not None]) for key in FIGURES},
        "seconds": statistics.fmean(seconds) if seconds else None,
        "code": sorted({run["code"] for run in runs}),
        "precision": sorted({run["precision"] for run in runs if run["precision"]}),
    }


def _compute_spread(values: Sequence[float]) -> dict[str, float | None] | None:
    """Mean and sample standard deviation: of one run there is none."""
    if not values:
        return None
    return {"mean": statistics.fmean(values), "std": statistics.stdev(values) if len(values) > 1 else None}


def save(summary: dict[str, Any]) -> None:
    """Writes sweep.json, sweep.csv with a row a run, and sweep_means.csv with a row a group, into the sweep's directory."""
    directory = Path(summary["directory"])
    write_json(directory / "sweep.json", summary)
    write_text(directory / "sweep.csv", render_table([_make_run_row(run, summary["runs"]) for run in summary["runs"]]))
    write_text(directory / "sweep_means.csv", render_table([_make_group_row(group) for group in summary["groups"]]))


def _make_run_row(run: dict[str, Any], runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    keys = dict.fromkeys(key for one in runs for key in one["overrides"])
    return {
        **{key: run["overrides"].get(key, "") for key in keys},
        **({} if "seed" in keys else {"seed": run["seed"]}),
        "status": run["status"],
        **{key: _round(run[key], DIGITS) for key in FIGURES},
        "seconds": _round(run["seconds"], 1),
        "directory": run["directory"],
    }


def _make_group_row(group: dict[str, Any]) -> dict[str, Any]:
    figures = {f"{key} {what}": _round((group[key] or {}).get(what), DIGITS) for key in FIGURES for what in ("mean", "std")}
    return {**group["overrides"], "n": group["n"], **figures, "seconds": _round(group["seconds"], 1)}


def _round(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def render_text(summary: dict[str, Any]) -> str:
    """The summary as it is printed."""
    directory = Path(summary["directory"])
    groups, lines = summary["groups"], ["", "== sweep: mean ± standard deviation over the runs of a group"]
    if groups:
        rows = [[*groups[0]["overrides"], "n", *FIGURES, "time a run"]]
        for group in groups:
            time = "-" if group["seconds"] is None else format_duration(group["seconds"])
            rows.append(
                [*group["overrides"].values(), str(group["n"]), *(_format_spread(group[key]) for key in FIGURES), time]
            )
        lines += align_columns(rows)
    left = [f"{run['directory']} ({run['status']})" for run in summary["runs"] if run["status"] != "finished"]
    if left:
        lines.append(f"not among them: {', '.join(left)}")
    for key, what in (("code", "versions of the code"), ("precision", "precision")):
        mixed = sorted({one for group in groups if len(group[key]) > 1 for one in group[key]})
        if mixed:
            lines.append(f"runs of different {what} are averaged together: {', '.join(mixed)}")
    files = {"each run": "sweep.csv", "this table": "sweep_means.csv", "all figures": "sweep.json"}
    return "\n".join([*lines, *(f"{what:16}{directory / name}" for what, name in files.items())])


def _format_spread(spread: dict[str, float | None] | None) -> str:
    if spread is None:
        return "-"
    return f"{spread['mean']:.2f}" + ("" if spread["std"] is None else f" ± {spread['std']:.2f}")


def render_failures(jobs: Sequence[Job]) -> str:
    """What failed and why, as a table; empty where nothing did."""
    failed = [job for job in jobs if job.status == "failed"]
    if not failed:
        return ""
    rows = [["job", "ended", "why", "log"]]
    rows += [[job.name, job.ended, job.why, str(job.log) if job.log.exists() else "-"] for job in failed]
    return "\n".join(["", f"== failed: {len(failed)} of {len(jobs)} jobs", *align_columns(rows)])


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Each row as one line, its cells padded to the widest of their column."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
