"""python tables.py RUNS: results.json and the tables of README.md, of the runs that are finished in RUNS."""

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from math import sqrt
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from plan import DATA, KEPT, LEVELS, LOWER, METHODS, RATES, SEEDS, Run, choose_rates, list_rate_runs, list_runs
from scipy.stats import t

from lta.runtime.files import read_json, write_json, write_text
from lta.runtime.run_directory import read_finished_results, starts_of

HERE = Path(__file__).resolve().parent
MAIN = (("pc", "additive"), ("B", "D", "ABD"))
"""Methods and levels of the main comparisons."""
NAMES = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "clothing": "clothing"}
FOUND = {"centre_prior": "the centre", "feature_length": "the length of the features", "own_class": "the backbone's CAM"}

Row = Mapping[str, Any]
"""One run: what it was, and its figures."""


def collect(folder: Path) -> dict[str, Any]:
    """What is finished, as it goes into results.json. Errors in percent."""
    costs: dict[str, float] = {}
    if (path := folder / "cost.csv").is_file():
        with path.open(newline="") as file:
            costs = {name: float(seconds) for name, seconds in csv.reader(file)}
    found: dict[str, Any] = {"rates": {}, "rate_runs": [], "runs": [], "maps": []}
    for data in DATA:
        tried = {run: row for run in list_rate_runs(data) if (row := _read_run(folder, run, costs))}
        found["rate_runs"] += tried.values()
        lower = [run._replace(rate=LOWER) for run in list_rate_runs(data) if run.rate == RATES[run.levels][0]]
        found["rate_runs"] += [row for run in lower if (row := _read_run(folder, run, costs))]
        rates = choose_rates(data, {run.name: row["val_error"] for run, row in tried.items()})
        if not rates:
            continue
        found["rates"][data] = rates
        for run in [run for seeds in SEEDS for run in list_runs(data, rates, seeds)]:
            if row := _read_run(folder, run, costs):
                found["runs"].append(row)
            if (run.method, run.levels) == KEPT:
                found["maps"] += _read_maps(folder, run)
    return found


def _read_run(folder: Path, run: Run, costs: Mapping[str, float]) -> Row | None:
    results = read_finished_results(folder / run.name)
    if not results:
        return None
    last = results["history"][-1]
    git = starts_of(folder / run.name)[0].get("git") or {}
    return {
        **run._asdict(),
        "val_error": last["val/error"],
        "test_error": results["test"]["error"],
        "balanced_error": results["test"].get("balanced_error", results["test"]["error"]),
        "test_images": results["test_images"],
        "effective_positions": {
            level: last[f"attention/{level}/effective_positions"]
            for level in results["levels"]
            if f"attention/{level}/effective_positions" in last
        },
        "seconds": results["seconds"],
        "processor_seconds": costs.get(run.name),
        "parameters": results["parameters"],
        "commit": git.get("commit"),
    }


def _read_maps(folder: Path, run: Run) -> list[Row]:
    paths = sorted((folder / run.name / "evaluations").glob("localisation*.json"))
    if not paths:
        return []
    figures = read_json(paths[0])["figures"]
    own = figures["maps"]["B"]["iou"]
    others = {"centre_prior": own["controls"]["centre_prior"]["value"]}
    others |= {name: one["iou"]["value"] for name, one in figures["maps"].items() if one["kind"] == "untrained"}
    return [{"data": run.data, "seed": run.seed, "images": own["n"], "iou": own["value"], "others": others}]


def estimate(values: Sequence[float], comparisons: int = 1) -> str:
    """Mean and the 95 % interval of Student's t, so wide that as many `comparisons` hold together."""
    if len(values) < 2:
        return f"{values[0]:+.2f} (one seed)"
    half = float(t.ppf(1 - 0.025 / comparisons, len(values) - 1)) * stdev(values) / sqrt(len(values))
    mean = fmean(values)
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})"


def decide(text: str) -> str:
    """In bold where the interval does not contain 0."""
    ends = text.partition("(")[2].removesuffix(")").split(" to ")
    return f"**{text}**" if len(ends) == 2 and float(ends[0]) * float(ends[1]) > 0 else text


class Results:
    """The runs of one data set."""

    def __init__(self, rows: Sequence[Row], data: str):
        self.of = {(row["method"], row["levels"], row["seed"]): row for row in rows if row["data"] == data}

    def take(self, method: str, levels: str, key: str) -> dict[int, float]:
        """By seed."""
        found = {seed: row[key] for (one, at, seed), row in self.of.items() if (one, at) == (method, levels)}
        return {seed: value for seed, value in found.items() if value is not None}

    def subtract(self, method: str, levels: str, other: str, key: str = "test_error") -> list[float]:
        """`method` minus `other`, of the seeds that both have."""
        ours, theirs = self.take(method, levels, key), self.take(other, levels, key)
        return [ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)] + [""]


def cross(results: Results, title: str, cell: Callable[[str, str], str], methods: Sequence[str] = METHODS) -> list[str]:
    """A row for levels, a column for a method; columns and rows without anything are left out."""
    cells = {(method, levels): cell(method, levels) for method, levels in product(methods, LEVELS)}
    columns = [method for method in methods if any(cells[method, levels] for levels in LEVELS)]
    lines = [levels for levels in LEVELS if any(cells[method, levels] for method in methods)]
    if not lines:
        return []
    rows = [["+".join(levels), *(cells[method, levels] or "" for method in columns)] for levels in lines]
    return [title, "", *table(["levels", *(f"`{method}`" for method in columns)], rows)]


def write_section(found: Mapping[str, Any], data: str) -> Iterator[str]:
    results = Results(found["runs"], data)
    if not results.of:
        return
    yield from [f"### {NAMES[data]}", ""]
    images = next(iter(results.of.values()))["test_images"]

    def describe(key: str, digits: int) -> Callable[[str, str], str]:
        def cell(method: str, levels: str) -> str:
            values = [*results.take(method, levels, key).values()]
            spread = f" ± {stdev(values):.{digits}f}" if len(values) > 1 else ""
            return f"{fmean(values):.{digits}f}{spread} ({len(values)})" if values else ""

        return cell

    title = f"Test error in percent ({images:,} pictures): mean ± standard deviation over seeds (number of seeds)"
    yield from cross(results, title, describe("test_error", 2))
    if data == "clothing":
        yield from cross(results, "Balanced error in percent, likewise:", describe("balanced_error", 2))
    comparisons = len(MAIN[0]) * len(MAIN[1])
    rows = [
        [f"`{method}` at {'+'.join(levels)}", decide(estimate(values, comparisons)), str(len(values))]
        for levels, method in product(MAIN[1], MAIN[0])
        if (values := results.subtract(method, levels, "uniform"))
    ]
    if rows:
        yield from [
            "Main comparisons: test error minus that of `uniform`, in points. Bold: the interval does not contain 0.",
            "",
        ]
        yield from table(["", f"difference (95 %, corrected for {comparisons})", "seeds"], rows)
    others = [method for method in METHODS if method != "uniform"]

    def compare_with(other: str) -> Callable[[str, str], str]:
        def cell(method: str, levels: str) -> str:
            values = results.subtract(method, levels, other)
            return decide(estimate(values)) if values else ""

        return cell

    yield from cross(
        results, "All differences to `uniform`, each interval (95 %) by itself:", compare_with("uniform"), others
    )
    title = "The same to `gap`, the average without batch norm (not planned):"
    yield from cross(results, title, compare_with("gap"), [method for method in METHODS if method != "gap"])

    def cost(method: str, levels: str) -> str:
        seconds, whole = (results.take(method, levels, key).values() for key in ("seconds", "processor_seconds"))
        return f"{median(whole):.0f} ({median(seconds):.0f})" if whole and seconds else ""

    title = "Processor seconds of a run after the imports (in brackets seconds of its training on a busy machine), medians:"
    yield from cross(results, title, cost)

    def focus(method: str, levels: str) -> str:
        rows = [row["effective_positions"] for (one, at, _), row in results.of.items() if (one, at) == (method, levels)]
        means = [f"{fmean(row[level] for row in rows):.1f}" for level in levels if rows and all(level in r for r in rows)]
        return ", ".join(means)

    title = "Positions that a map spreads over, counted by its entropy, level by level, mean over seeds:"
    yield from cross(results, title, focus, others[1:])


def write_maps(found: Mapping[str, Any]) -> Iterator[str]:
    rows = []
    for data in DATA:
        maps = [one for one in found["maps"] if one["data"] == data]
        for other in FOUND if maps else ():
            differences = [one["iou"] - one["others"][other] for one in maps]
            theirs = fmean(one["others"][other] for one in maps)
            size = "224" if data == "clothing" else "128"
            own = f"{fmean(one['iou'] for one in maps):.3f}"
            rows.append(
                [f"{NAMES[data]}, {size} px", own, FOUND[other], f"{theirs:.3f}", _small(differences), str(len(maps))]
            )
    if rows:
        yield from ["### The maps on the horses", "", "IoU of `pc` at level B alone (164 photographs), mean over seeds:", ""]
        yield from table(["trained on", "IoU", "against", "its IoU", "difference (95 %, over seeds)", "seeds"], rows)


def _small(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:+.3f} (one seed)"
    half = float(t.ppf(0.975, len(values) - 1)) * stdev(values) / sqrt(len(values))
    mean = fmean(values)
    return decide(f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})")


def write_rates(found: Mapping[str, Any]) -> Iterator[str]:
    for data in found["rates"]:
        tried = [row for row in found["rate_runs"] if row["data"] == data]
        errors = {(f"{row['method']}-{row['levels']}", row["rate"]): row["val_error"] for row in tried}
        rates = sorted({rate for _, rate in errors})
        images = "189" if data == "clothing" else "2,500"
        title = f"Validation error in percent by learning rate ({images} pictures, seed 100). Bold: the rate that is used."
        yield from [f"### Learning rates on {NAMES[data]}", "", title, ""]
        rows = []
        for key, used in found["rates"][data].items():
            method, _, levels = key.partition("-")
            cells = [f"{errors[key, rate]:.2f}" if (key, rate) in errors else "" for rate in rates]
            cells[rates.index(used)] = f"**{cells[rates.index(used)]}**"
            rows.append([f"`{method}` at {'+'.join(levels)}", *cells])
        yield from table(["", *(f"{rate:g}" for rate in rates)], rows)


def describe_state(found: Mapping[str, Any]) -> str:
    count = len([method for method in METHODS for levels in LEVELS if method != "gap" or len(levels) == 1])
    planned = {data: count * sum(map(len, SEEDS)) for data in DATA}
    done = {data: len(Results(found["runs"], data).of) for data in DATA}
    said = ", ".join(f"{NAMES[data]} {done[data]} of {planned[data]}" for data in DATA)
    commits = ", ".join(sorted({row["commit"][:7] for row in found["runs"] if row["commit"]}))
    return f"**State**: runs that are finished: {said}. Commit {commits or 'unknown'}."


def replace_between(text: str, begin: str, end: str, new: str) -> str:
    head, _, rest = text.partition(begin)
    return f"{head}{begin}\n{new.strip()}\n{end}{rest.partition(end)[2]}"


def write_page(page: str, found: Mapping[str, Any]) -> str:
    """The page with the state and the tables of `found` in place of those that it has."""
    lines = [*write_rates(found)]
    for data in DATA:
        lines += write_section(found, data)
    lines += write_maps(found)
    page = replace_between(page, "<!-- state -->", "<!-- end of state -->", describe_state(found))
    return replace_between(page, "<!-- tables -->", "<!-- end of tables -->", "\n".join(lines))


def main(folder: Path) -> None:
    found = collect(folder)
    write_json(HERE / "results.json", found)
    write_text(HERE / "README.md", write_page((HERE / "README.md").read_text(encoding="utf-8"), found))
    print(json.dumps(found["rates"]), describe_state(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
