"""The performance page's figures of GPUs, from what `benchmarks/gpu_day.py` has left in benchmarks/results."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"

PLACE = "<!-- figures of benchmarks/gpu_day.py -->"
"""What the page has where they are to stand."""

COMMAND = "python benchmarks/gpu_day.py --resume runs/gpu_day"

NOTHING = f"""**Nothing was measured on a GPU yet.** On a machine with one, repeat this command, about three times. It takes
nine minutes each time:

```text
{COMMAND}
```
"""


def insert_figures(text: str, results: Path = RESULTS) -> str:
    """A page with its PLACE filled; any other as it is."""
    return text.replace(PLACE, render_figures(results)) if PLACE in text else text


def render_figures(results: Path) -> str:
    day = read_newest(results)
    return NOTHING if day is None else render_figures_of(day)


def render_figures_of(day: Mapping[str, Any]) -> str:
    """`day`: what gpu_day.json holds."""
    stages = day["stages"]
    done = {name: one["found"] for name, one in stages.items() if one["state"] == "done"}
    parts = [_render_head(day, done.get("facts"))]
    parts += [_render_steps(stages[name]["title"], found) for name, found in done.items() if "rows" in found]
    parts += [_render_pipeline(done), _render_overhead(done), _render_accuracy(stages), _render_trainings(stages)]
    parts += [_render_tests(done), _render_missing(stages)]
    return "\n\n".join(part for part in parts if part) + "\n"


def read_newest(results: Path) -> dict[str, Any] | None:
    """Of all commits' days the one that was called last; dry runs do not count."""
    days = [json.loads(path.read_text()) for path in results.glob("*/gpu_day.json")]
    return max((day for day in days if not day["dry_run"]), key=lambda day: day["calls"][-1]["began"], default=None)


def _render_head(day: Mapping[str, Any], facts: Mapping[str, Any] | None) -> str:
    commit = day["git"]["commit"][:9] if day["git"] else day["code"]
    began = day["calls"][-1]["began"][:10]
    source = f"`benchmarks/gpu_day.py`, commit {commit}, {began}."
    if not facts:
        return f"Measured by {source}"
    peaks = ", ".join(f"{name} {value:.3g}" for name, value in facts["matmul_tflops"].items())
    gpu = facts["gpu"]["name"] if facts["gpu"] else "no GPU"
    libraries = f"torch {facts['libraries']['torch']}, Python {facts['python']}"
    return (
        f"Measured on one {gpu} ({libraries}) by {source} Large matrix products reach {peaks} TFLOP/s, and a copy "
        f"{facts['copy_gb_per_second']:,.0f} GB/s. This is the peak that shares refer to."
    )


def _render_steps(title: str, found: Mapping[str, Any]) -> str:
    head = ("network", "images/s", "step, ms", "Python, ms", "GPU waits, %", "share of peak, %", "memory, MB")
    rows = [
        (
            name,
            f"{row['images_per_second']:,.0f}",
            f"{row['step_ms']:.2f}",
            f"{row['python_ms']:.2f}",
            "" if row["waits"] is None else f"{100 * row['waits']:.1f}",
            f"{100 * row['share_of_peak']:.1f}",
            "" if row["memory_mb"] is None else f"{row['memory_mb']:,.0f}",
        )
        for name, row in found["rows"].items()
    ]
    bars = [
        f"- {bar['case']}: {bar['value']:.3g} (target {_describe_bar(bar)}: {'met' if bar['met'] else 'missed'})"
        for bar in found.get("bars", ())
    ]
    return "\n".join([f"### {_capitalise(title)}, batch {found['batch']}\n", *_render_table(head, rows), "", *bars]).rstrip()


def _describe_bar(bar: Mapping[str, Any]) -> str:
    return f"at least {bar['at_least']:g}" if "at_least" in bar else f"at most {bar['at_most']:g}"


def _render_pipeline(done: Mapping[str, Any]) -> str:
    if "pipeline" not in done:
        return ""
    rates = "; ".join(f"{name}: {rate:,.0f}" for name, rate in done["pipeline"]["images_per_second"].items())
    return f"### Pictures to the network\n\nImages per second, augmented on the GPU. {_capitalise(rates)}."


def _render_overhead(done: Mapping[str, Any]) -> str:
    if "overhead" not in done:
        return ""
    found = done["overhead"]
    step = ", ".join(f"{name} {value:.2f} ms" for name, value in found["step_ms"].items())
    share = f"{found['panel_seconds_an_epoch']:.2f} s ({100 * found['panel_share_of_an_epoch']:.1f} %)"
    return f"### Overhead\n\nA training step: {step}. Panel and telemetry add {share} to an epoch of 45,000 images."


def _render_accuracy(stages: Mapping[str, Any]) -> str:
    kept = [(one["title"], one["found"]) for one in stages.values() if one["kind"] == "accuracy" and one["state"] == "done"]
    if not kept:
        return ""
    rows = [
        (title, f"{found['seconds_to_94']:.2f}" if found["reached"] else "not reached", found["epochs"], found["test_error"])
        for title, found in kept
    ]
    anchors = "; ".join(f"{name}: {value:g}" for name, value in kept[0][1]["anchors"].items())
    table = _render_table(("", "seconds", "epochs", "test error, %"), rows)
    return "\n".join(["### Time to accuracy\n", *table, "", f"Published, for comparison: {anchors}."])


def _render_trainings(stages: Mapping[str, Any]) -> str:
    rows = [
        (
            one["title"],
            f"{found['epochs_done']}" + ("" if one["state"] == "done" else " (not finished)"),
            f"{found['test_error']:.2f}" if "test_error" in found else "",
            f"{found['at_most']:g}: {'met' if found['met'] else 'missed'}" if "at_most" in found else "",
            f"{found['images_per_second']:,.0f}" if "images_per_second" in found else "",
            f"{found['training_seconds'] / 60:.1f}" if "training_seconds" in found else "",
        )
        for one in stages.values()
        if one["kind"] == "row" and (found := one.get("found"))
    ]
    head = ("network, data, recipe", "epochs", "test error, %", "target", "images/s", "minutes")
    return "\n".join(["### Trainings at full width\n", *_render_table(head, rows)]) if rows else ""


def _render_tests(done: Mapping[str, Any]) -> str:
    if "tests" not in done:
        return ""
    found = done["tests"]
    failed = f"; failed: {', '.join(f'`{name}`' for name in found['failed'])}" if found["failed"] else ", none failed"
    return f"### Tests on the GPU\n\n{found['passed']} passed, {found['skipped']} were skipped{failed}."


def _render_missing(stages: Mapping[str, Any]) -> str:
    lines = [
        f"- {one['title']}: {one['state']}" + (f" ({reason})" if (reason := one.get("why") or one.get("error")) else "")
        for one in stages.values()
        if one["state"] != "done"
    ]
    return "\n".join(["### Not measured\n", *lines]) if lines else ""


def _render_table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = ["| " + " | ".join(map(str, cells)) + " |" for cells in (head, *rows)]
    return [lines[0], "|" + "---|" * len(head), *lines[1:]]


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
