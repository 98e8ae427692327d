"""What all benchmarks share: ways that alternate, ratios within a round, one line a row, results kept as JSON."""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lta.runtime.files import write_json
from lta.runtime.provenance import describe_machine, source_state

RESULTS = Path(__file__).resolve().parent / "results"

Ways = Mapping[str, Callable[[], Any]]


def arguments(doc: str, repetitions: int) -> argparse.ArgumentParser:
    """A parser with what every script takes. `doc` is the script's docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repetitions", type=_at_least_1, default=repetitions, help=f"rounds that count (default {repetitions})"
    )
    parser.add_argument("--out", type=Path, help="the file for the results (default benchmarks/results/COMMIT/SCRIPT.json)")
    return parser


def run(main: Callable[[], None]) -> None:
    """A value that can't be ends in one line."""
    try:
        main()
    except ValueError as error:
        sys.exit(f"error: {error}")


def alternate(
    ways: Ways, repetitions: int, warm_up: int = 1, wait: Callable[[], Any] | None = None
) -> dict[str, list[float]]:
    """Seconds that each way takes, A B A B: whatever else the machine does slows all of them alike.

    The first `warm_up` rounds do not count. `wait` ends each time, for devices that compute on their own.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(-warm_up, repetitions):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()
            if wait:
                wait()
            if repetition >= 0:
                taken[name].append(time.perf_counter() - begin)
    return taken


class Results:
    """Prints rows as they come and keeps them; `save` writes them with the command, the commit, the machine and versions.

    A row with `at_least` or `at_most` has a bar, and says whether it is met.
    """

    def __init__(self, options: argparse.Namespace, conditions: str = ""):
        self.script = Path(sys.argv[0]).stem
        self.rows: list[dict[str, Any]] = []
        self.conditions = conditions
        self.out = options.out
        self.machine = describe_machine() | {"torch": torch.__version__, "threads": torch.get_num_threads()}
        on = f"{self.machine['processor']}, {self.machine['cores']} cores, {self.machine['threads']} threads"
        print(f"== {self.script}: {on}, torch {torch.__version__}; {conditions}", flush=True)

    def ratio(
        self,
        case: str,
        numerator: Sequence[float],
        denominator: Sequence[float],
        at_least: float | None = None,
        at_most: float | None = None,
        unit: str = "seconds",
    ) -> None:
        """The median over the rounds of `numerator / denominator`, two ways of the same rounds, measured in `unit`."""
        ratios = sorted(a / b for a, b in zip(numerator, denominator, strict=True))
        medians = [statistics.median(numerator), statistics.median(denominator)]
        shown = " / ".join(_seconds(one) if unit == "seconds" else f"{one:.0f} {unit}" for one in medians)
        self._add(case, "x", ratios, at_least, at_most, shown, **{unit: medians})

    def figure(
        self, case: str, values: Sequence[float], unit: str, at_least: float | None = None, at_most: float | None = None
    ) -> None:
        """The median of `values`."""
        self._add(case, unit, sorted(values), at_least, at_most, "")

    def save(self) -> None:
        source = source_state()
        path = self.out or RESULTS / name_folder(source["git"], source["code"]) / f"{self.script}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = {"command": [Path(sys.argv[0]).name, *sys.argv[1:]], "conditions": self.conditions, "machine": self.machine}
        write_json(path, {**kept, **source, "rows": self.rows})

    def _add(self, case, unit, values, at_least, at_most, note, **more):
        median = statistics.median(values)
        low, high = values[len(values) // 4], values[-1 - len(values) // 4]
        row = {"case": case, "median": median, "quartiles": [low, high], "rounds": len(values), "unit": unit, **more}
        verdict = ""
        if at_least is not None or at_most is not None:
            met = median >= at_least if at_least is not None else median <= at_most
            row |= {"at_least": at_least, "at_most": at_most, "met": met}
            bar = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}"
            verdict = f"bar {bar}: {'met' if met else 'MISSED'}"
        self.rows.append(row)
        print(f"{case:52} {median:9.4g} {unit:6} ({low:.4g} - {high:.4g})  {note:24} {verdict}".rstrip(), flush=True)


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """What the benchmarks of one commit found, by script."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def _at_least_1(given: str) -> int:
    if not given.isdecimal() or int(given) < 1:
        raise argparse.ArgumentTypeError(f"{given} must be a whole number, at least 1")
    return int(given)


def name_folder(git: Mapping[str, Any] | None, code: str) -> str:
    """A commit's short name, with the code's own where it was changed since."""
    if git is None:
        return code
    return git["commit"][:9] + (f"-changed-{code}" if git["changed"] else "")


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1e3 * seconds:.2f} ms"
