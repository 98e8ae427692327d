"""The page's tables: tables.py RUNS OUT, RUNS being the sweeps' directories that train.sh made and ask.sh asked.

Writes OUT/results.json (each figure by seed) and prints the tables: means over seeds, standard deviations in brackets.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import mean, stdev
from typing import Any

VARIANTS = {
    "pc": "attention/compat-pc+seed-{}",
    "dp": "attention/compat-dp+seed-{}",
    "scaled dp": "scaled_dp/seed-{}",
    "additive": "attention/compat-additive+seed-{}",
    "gap": "gap/seed-{}",
}
SEEDS = range(5)
LEVELS = "ABC"
Values = dict[str, list[Any]]
"""A figure's values by its name, one a seed."""


def answers(run: Path) -> Iterator[dict[str, Any]]:
    """The newest answer to each question that was asked of a run."""
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for path in (run / "evaluations").rglob("*.json"):
        found = json.loads(path.read_text())
        key = found["evaluator"], found["question"]["data"]["_target_"]
        if key not in newest or found["time"] > newest[key]["time"]:
            newest[key] = found
    yield from newest.values()


def classification(figures: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "test error", figures["error"]["value"]


def localisation(figures: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, one in figures["maps"].items():
        for measure in ("iou", "pointing", "auc"):
            yield f"{measure} {name}", one[measure]["value"]
        for control, figure in one["iou"]["controls"].items():
            yield f"iou {name} {control}", figure["value"]
            yield f"iou {name} over {control}", [figure["difference"]["value"], *figure["difference"]["interval"]]


def roles(figures: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, one in figures["levels"].items():
        for role, figure in one["density"].items():
            yield f"density {name} {role}", figure["value"]
        yield f"role {name}", one["verdict"]["words"]
    if "apart" in figures:
        yield "roles apart", figures["apart"]["words"]


def query(figures: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    on = "pairs" if figures.get("pairs") else "scenes"
    for name, one in figures.get("levels", {}).items():
        for stand_in, change in one["replaced_by"].items():
            yield f"{on}: map {name} with {stand_in}", change["tv"]["value"]
            yield f"{on}: map {name} with {stand_in}, largest", change["tv_max"]
            yield f"{on}: map {name} with {stand_in}, correlation", change["correlation"]["value"]
        yield f"{on}: map {name} of another picture", one["other_picture"]["tv"]["value"]
        yield f"{on}: query of {name}", one["verdict"]["words"]
    for stand_ins in figures.get("predictions", {}).values():
        for stand_in, change in stand_ins.items():
            yield f"{on}: predictions changed with {stand_in}", change["changed"]["value"]
    for name, one in (figures.get("pairs") or {}).get("levels", {}).items():
        for measure in ("energy", "pointing"):
            yield f"pairs: {measure} {name} gain", one[measure]["difference"]["value"]
            yield f"pairs: {measure} {name} query", one[measure]["query"]["value"]
            yield f"pairs: {measure} {name} other", one[measure]["other"]["value"]
            moved = one[measure]["difference"]
            yield f"pairs: {measure} {name} moved", [moved["value"], *moved["interval"]]
        yield f"pairs: {name}", one["verdict"]


def robustness(figures: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for attack, by_eps in figures["attacks"].items():
        for eps, figure in by_eps.items():
            yield f"{attack} {eps}", figure["error"]["value"]
    yield "gradient masking", figures["gradient_masking"]["found"]


READERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, Any]]]] = {
    "classification": classification,
    "localisation": localisation,
    "roles": roles,
    "query": query,
    "robustness": robustness,
}


def read(runs: Path) -> dict[str, Values]:
    found: dict[str, Values] = {}
    for variant, where in VARIANTS.items():
        values = found[variant] = {}
        for seed in SEEDS:
            run = runs / where.format(seed)
            values.setdefault("test error", []).append(json.loads((run / "results.json").read_text())["test"]["error"])
            for answer in answers(run):
                for name, value in READERS[answer["evaluator"]](answer["figures"]):
                    if name != "test error":
                        values.setdefault(name, []).append(value)
    return found


def spread(values: list[float], digits: int) -> str:
    if 0 < abs(mean(values)) < 10**-digits:
        return f"{mean(values):.0e}"
    return f"{mean(values):.{digits}f} ({stdev(values):.{digits}f})"


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def table(title: str, columns: Mapping[str, str], found: Mapping[str, Values], digits: int) -> None:
    """A row a variant that has any of the figures; `columns`: heading and the figure's name."""
    print(f"\n{title}\n\n{row(['', *columns])}\n{row(['---'] * (len(columns) + 1))}")
    for variant, values in found.items():
        if any(name in values for name in columns.values()):
            cells = [spread(values[name], digits) if name in values else "" for name in columns.values()]
            print(row([variant, *cells]))


def written(found: Mapping[str, Values]) -> str:
    """As JSON, a line for each figure."""
    variants = (
        f"{json.dumps(variant)}: {{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(of)}" for name, of in values.items())
        + "\n}"
        for variant, values in found.items()
    )
    return "{\n" + ",\n".join(variants) + "\n}\n"


def main() -> None:
    runs, out = Path(sys.argv[1]), Path(sys.argv[2])
    found = read(runs)
    (out / "results.json").write_text(written(found))
    print("\n".join(f"{name}: {[round(one, 2) for one in values['test error']]}" for name, values in found.items()))
    maps = [*LEVELS, "product", "gradcam", "gradcam_pp", "saliency", "integrated_gradients"]
    table("IoU", {name: f"iou {name}" for name in maps}, found, 3)
    table("pointing game", {name: f"pointing {name}" for name in maps}, found, 2)
    controls = ("centre_prior", "shuffled", "uniform", "chance")
    for name in ("product", "C"):
        table(f"IoU, controls of {name}", {control: f"iou {name} {control}" for control in controls}, found, 3)
    for role in ("main", "side", "background"):
        table(f"density on {role}", {level: f"density {level} {role}" for level in LEVELS}, found, 2)
    for stand_in in ("another", "zero", "noise"):
        columns = {level: f"scenes: map {level} with {stand_in}" for level in LEVELS}
        table(f"map change, {stand_in}", columns | {"predictions": f"scenes: predictions changed with {stand_in}"}, found, 4)
    largest = {level: f"scenes: map {level} with another, largest" for level in LEVELS}
    table("largest map change of any image, another", largest, found, 4)
    table("correlation, another", {level: f"scenes: map {level} with another, correlation" for level in LEVELS}, found, 4)
    table("another picture's map", {level: f"scenes: map {level} of another picture" for level in LEVELS}, found, 3)
    for measure in ("energy", "pointing"):
        columns = {
            f"{level} {whose}": f"pairs: {measure} {level} {whose}"
            for level in LEVELS
            for whose in ("query", "other", "gain")
        }
        table(f"pairs, {measure}", columns, found, 4)
    for attack in ("fgsm", "pgd", "noise"):
        table(attack, {f"eps {eps}": f"{attack} {eps}" for eps in (0, 1, 2, 4, 8)}, found, 1)
    for variant, values in found.items():
        words = {name: values[name] for name in values if isinstance(values[name][0], (str, bool))}
        print(f"\n{variant}\n" + "\n".join(f"  {name}: {', '.join(map(str, said))}" for name, said in words.items()))


main()
