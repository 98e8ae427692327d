"""What was seen under attack, as figures, as a table of numbers, and as lines to read."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lta.evaluators.table import flatten_estimate, format_estimate
from lta.measures.intervals import difference, mean, share

ATTACKS = {
    "noise": "random signs",
    "uniform": "uniform noise",
    "fgsm": "FGSM",
    "pgd": "PGD",
    "source_fgsm": "source's FGSM",
    "source_pgd": "source's PGD",
}
"""All but uniform noise stand in the printed table."""


class AttackOutcome(NamedTuple):
    """Of the images at positions `at` of the test split: which were got wrong, and how much attention moved, by level."""

    wrong: np.ndarray
    moved: Mapping[str, np.ndarray]
    at: np.ndarray


class AttackResults(NamedTuple):
    """`seen` by attack and eps, 0 included; `sources` as in a Split."""

    eps: Sequence[float]
    steps: int
    source: str | None
    seen: Mapping[tuple[str, float], AttackOutcome]
    sources: np.ndarray | None


def compare_attacks(asked: AttackResults, attack: str, other: str, eps: float) -> dict[str, Any]:
    """Percentage points by which the first attack's error is above the other's, on the images that both looked at."""
    one, two = asked.seen[attack, eps], asked.seen[other, eps]
    at, ours, others = np.intersect1d(one.at, two.at, assume_unique=True, return_indices=True)
    return difference(100.0 * one.wrong[ours], 100.0 * two.wrong[others], _groups(asked, at))


def summarise_attacks(asked: AttackResults) -> dict[str, Any]:
    """The figures of all attacks, with intervals, as JSON-ready data."""
    attacks: dict[str, Any] = {}
    for (attack, eps), shown in asked.seen.items():
        if attack not in ATTACKS:
            continue
        figure: dict[str, Any] = {"error": share(shown.wrong, _groups(asked, shown.at))}
        if attack != "noise" and eps:
            figure["minus_noise"] = compare_attacks(asked, attack, "noise", eps)
        if attack == "fgsm":  # the only one that looks at all images: on the others' its error can be set beside theirs
            same = np.isin(shown.at, asked.seen["pgd", eps].at)
            figure["error_on_sample"] = share(shown.wrong[same], _groups(asked, shown.at[same]))
        if shown.moved and eps:
            groups = _groups(asked, shown.at)
            figure["moved"] = {level: mean(values, groups) for level, values in shown.moved.items()}
        attacks.setdefault(attack, {})[f"{eps:g}"] = figure
    figures = {"error": attacks["fgsm"]["0"]["error"], "attacks": attacks}
    if asked.source is not None:
        itself = {eps: asked.seen["source_itself", eps] for eps in (0.0, *asked.eps)}
        figures["source"] = {
            "path": asked.source,
            "pgd": {f"{eps:g}": share(shown.wrong, _groups(asked, shown.at)) for eps, shown in itself.items()},
        }
    return figures


def rows_of(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row of the CSV for each attack and eps."""
    rows = []
    levels = list(figures["attacks"]["fgsm"][_find_last_eps(figures)].get("moved", {}))
    for attack, by_eps in figures["attacks"].items():
        for eps, figure in by_eps.items():
            error = figure["error"]
            row = {
                "attack": attack,
                "eps": eps,
                **flatten_estimate(error, "error"),
                "n": error["n"],
                **flatten_estimate(figure.get("minus_noise"), "minus_noise", "minus_noise_low", "minus_noise_high"),
            }
            moved = figure.get("moved", {})
            rows.append(row | {f"moved_{level}": moved.get(level, {}).get("value") for level in levels})
    return rows


def lines_of(figures: Mapping[str, Any], asked: AttackResults) -> list[str]:
    """The figures as lines for the screen."""
    attacks = figures["attacks"]
    shown = [attack for attack in ATTACKS if attack in attacks and attack != "uniform"]
    counts = {attack: attacks[attack]["0"]["error"]["n"] for attack in shown}
    n, sample = counts["fgsm"], counts["pgd"]
    lines = [
        "error in % (95 % intervals) where no pixel value moves by more than eps of 255 grey levels; "
        f"PGD: {asked.steps} steps",
        "    eps" + "".join(f"{f'{ATTACKS[attack]} ({counts[attack]:,})':>23}" for attack in shown),
    ]
    for eps in attacks["fgsm"]:
        lines.append(
            f"{eps:>7}" + "".join(f"{format_estimate(attacks[attack][eps]['error'], '.1f', '-'):>23}" for attack in shown)
        )
    if sample < n:
        same = ", ".join(f"{figure['error_on_sample']['value']:.1f}" for figure in attacks["fgsm"].values())
        lines.append(f"noise and PGD: {sample:,} of the {n:,} images, drawn at random; FGSM on these: {same} %")
    first = f"{asked.eps[0]:g}"
    above = attacks["pgd"][first]["minus_noise"]
    lines.append(f"above noise     PGD at eps {first}: {format_estimate(above, '+.1f', unit=' points')}")
    if levels := attacks["fgsm"][_find_last_eps(figures)].get("moved"):
        lines.append("attention moved (share of a map that lies elsewhere, 0 to 1)")
        for eps in (f"{one:g}" for one in asked.eps):
            by_level = (
                f"{level} {_value(attacks['fgsm'][eps]['moved'][level])} (random signs "
                f"{_value(attacks['noise'][eps]['moved'][level])})"
                for level in levels
            )
            lines.append(f"{eps:>7}  FGSM  " + "   ".join(by_level))
    if source := figures.get("source"):
        own = source["pgd"][_find_last_eps(figures)]["value"]
        lines.append(
            f"source          {source['path']}: its own error under its PGD at eps {_find_last_eps(figures)} is {own:.1f} %"
        )
    masking = figures["gradient_masking"]
    lines.append(f"masking         {masking['verdict']}")
    return lines + [
        f"{'  ok' if check['passed'] else '  NO'}            {check['says']}" for check in masking["checks"].values()
    ]


def _groups(asked: AttackResults, at: np.ndarray) -> np.ndarray | None:
    return None if asked.sources is None else asked.sources[at]


def _find_last_eps(figures: Mapping[str, Any]) -> str:
    return list(figures["attacks"]["fgsm"])[-1]


def _value(figure: Mapping[str, Any]) -> str:
    return "-" if figure["value"] is None else f"{figure['value']:.3f}"
