"""What localisation says in words and tables."""

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from lta.evaluators.localisation.explanations import EXPLANATIONS
from lta.evaluators.localisation.scores import CONTROLS, MEASURES, OVERLAPS
from lta.evaluators.localisation.untrained import UNTRAINED
from lta.evaluators.table import Estimate, flatten_estimate, format_estimate

NAMES = {"iou": "IoU", "iou_mean": "IoU averaged", "pointing": "pointing", "energy": "energy", "auc": "AUC"}
NAMES |= {name: f"box at {least:g}" for name, least in OVERLAPS.items()}
CONTROL_NAMES = {"uniform": "uniform", "centre_prior": "centre", "shuffled": "shuffled", "chance": "chance"}


def rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line a map and measure: its value, each control's, and the difference to each with its interval."""
    table = []
    measures, controls = MEASURES[figures["known_by"]], CONTROLS[figures["known_by"]]
    for name, one in figures["maps"].items():
        for key in measures:
            figure = one[key]
            row = {"map": name, "kind": one["kind"], "measure": key, "n": figure["n"], **_flatten("", figure)}
            row |= {f"threshold_{k}": value for k, value in enumerate(figure.get("thresholds", one["thresholds"]), 1)}
            for control in controls:
                row |= _flatten(f"{control}_", figure["controls"][control])
                row |= _flatten(f"over_{control}_", figure["controls"][control]["difference"])
            table.append(row)
    return table


def lines(figures: Mapping[str, Any], left_out: str) -> list[str]:
    """`left_out`: which explanations are missing, and why."""
    found, area = figures["maps"], figures["area"]
    measures, controls = MEASURES[figures["known_by"]], CONTROLS[figures["known_by"]]
    main = measures[0]
    explained = next((one[main]["n"] for one in found.values() if one["kind"] == "explanation"), figures["images"])
    some = f", {explained:,} of them explained" if explained < figures["images"] else ""
    objects = "the object covers" if figures["known_by"] == "masks" else "boxes cover"
    said = [f"{figures['images']:,} images{some}; {objects} {100 * area['value']:.1f} % of a picture"]
    names = {name: display_name(name, one) for name, one in found.items()}
    wide = max(map(len, names.values())) + 2
    headings = " ".join(f"{CONTROL_NAMES[control]:>8}" for control in controls)
    said.append(f"{NAMES[main]:{wide}} {'95 % interval':24} {headings}   over the best of them")
    for name, one in found.items():
        figure = one[main]
        theirs = " ".join(f"{figure['controls'][control]['value']:8.3f}" for control in controls)
        said.append(f"{names[name]:{wide}} {format_estimate(figure, '.3f')}   {theirs}   {_format_difference(figure)}")
    others = measures[1:]
    said.append(f"{'':{wide}} " + " ".join(f"{NAMES[key] + ' (over best)':>26}" for key in others))
    for name, one in found.items():
        cells = (
            f"{one[key]['value']:.3f} ({_find_best_control(one[key])[1]['value']:+.3f}){_mark(one[key])}" for key in others
        )
        said.append(f"{names[name]:{wide}} " + " ".join(f"{cell:>26}" for cell in cells))
    for control in ("uniform", "centre_prior"):
        first = next(iter(found.values()))
        cells = (f"{first[key]['controls'][control]['value']:.3f}" + 10 * " " for key in others)
        said.append(f"{control.replace('_', ' '):{wide}} " + " ".join(f"{cell:>26}" for cell in cells))
    said += _compare_with_untrained(found, names, main)
    grid = figures["curves"]["threshold"]
    if figures["known_by"] == "masks":
        said.append(
            f"IoU: at a threshold chosen on the other half of the images; averaged: the mean over {len(grid)} thresholds"
        )
    else:
        said.append(
            "box at 0.5: the share of images in which the box around the map's largest region has an IoU of 0.5 or more with"
        )
        said.append("  a box of the image; its threshold is chosen on the other half of the images, for each IoU by itself")
    chosen = " ".join(f"{name}={_thresholds(one, grid)}" for name, one in found.items())
    said += wrap(f"thresholds, shares of a map's range: {chosen}", 125, subsequent_indent="  ")
    if any(_is_at_edge(one, grid) for one in found.values()):
        said.append("! the lowest or the highest of them: the lowest takes all but a map's minimum, whatever the map says")
    said.append("* above every control, with a 95 % interval that excludes 0")
    if left_out:
        said.append(left_out)
    return said


def _compare_with_untrained(found: Mapping[str, Any], names: Mapping[str, str], main: str) -> list[str]:
    """What learning has added to the backbone's own maps, by the `main` measure."""
    untrained = [name for name, one in found.items() if one["kind"] == "untrained"]
    return [
        f"{names[name]} over {names[other]}: {format_estimate(one[main]['over_explanations'][other], '+.3f')}"
        for name, one in found.items()
        for other in untrained
        if "over_explanations" in one[main]
    ]


def display_name(name: str, one: Mapping[str, Any]) -> str:
    """A map's name as it is shown, with its size if it has one of its own."""
    if one["kind"] == "explanation":
        return EXPLANATIONS[name]
    if one["kind"] == "untrained":
        return f"{UNTRAINED[name]} {one['map'][0]}x{one['map'][1]}"
    if one["kind"] == "combination":
        return name
    return f"{name} {one['map'][0]}x{one['map'][1]}" + (" (CAM)" if one["kind"] == "class activation map" else "")


def _thresholds(one: Mapping[str, Any], grid: Sequence[float]) -> str:
    """Of the two halves."""
    values = "/".join(f"{value:.2g}" for value in sorted(set(one["thresholds"])))
    return values + "!" if _is_at_edge(one, grid) else values


def _is_at_edge(one: Mapping[str, Any], grid: Sequence[float]) -> bool:
    return bool({grid[0], grid[-1]} & set(one["thresholds"]))


def _find_best_control(figure: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """The control of the highest value, and the difference to it."""
    control = max(figure["controls"], key=lambda control: figure["controls"][control]["value"])
    return control, figure["controls"][control]["difference"]


def _format_difference(figure: Mapping[str, Any]) -> str:
    _, found = _find_best_control(figure)
    return f"{format_estimate(found, '+.3f')}{_mark(figure)}"


def _mark(figure: Mapping[str, Any]) -> str:
    above = all(control["difference"]["interval"][0] > 0 for control in figure["controls"].values())
    return "*" if above else " "


def _flatten(prefix: str, estimate: Estimate) -> dict[str, Any]:
    return flatten_estimate(estimate, f"{prefix}value", f"{prefix}low", f"{prefix}high")
