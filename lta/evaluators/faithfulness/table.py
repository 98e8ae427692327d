"""What `faithfulness` found, as lines, as a table and as curves."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from lta.evaluators.table import Estimate, align_columns, flatten_estimate, format_estimate
from lta.viz.curves import Chart, Line, charts

CONTROLS = ("shuffled", "random", "central")
LISTED = 0.25
"""The area nearest to this one is listed in the lines."""


def text(figures: Mapping[str, Any], images: str) -> list[str]:
    """The figures as lines for the screen; `images` says how many there were."""
    orders = figures["orders"]
    sharp, blurred = figures["error_sharp"], figures["error_wholly_blurred"]
    areas = figures["areas"]
    at = min(range(len(areas)), key=lambda k: abs(areas[k] - LISTED))
    lines = [
        f"error           {format_estimate(sharp, '.1f', unit=' %')} sharp, {format_estimate(blurred, '.1f', unit=' %')} "
        f"wholly blurred; {images}, Gaussian blur of {figures['sigma_pixels']:.1f} pixels",
    ]
    if not set(orders) - set(CONTROLS):
        lines.append("no maps         this network has none: random and central pixels only")
    lines.append("probability of the predicted class, area under the curve")
    heading = ("", "deletion (low: faithful)", "minus random", "insertion (high: faithful)", "minus random")
    cells = (
        (name, *(part for kind in ("deletion", "insertion") for part in _cells(order[kind], ".3f")))
        for name, order in orders.items()
    )
    lines += align_columns([heading, *cells])
    lines += _compare_with_controls(figures)
    lines.append(f"error in % with {100 * areas[at]:g} % of the pixels blurred")
    heading = ("", "first in the order", "minus random", "last in the order", "minus random")
    cells = (
        (name, *(part for kind in ("most", "least") for part in _cells(order[kind][at]["error"], ".1f")))
        for name, order in orders.items()
    )
    lines += align_columns([heading, *cells])
    return lines


def table(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each order, end of it that is blurred, and area."""
    rows = []
    for name, order in figures["orders"].items():
        for kind in ("most", "least"):
            for point in order[kind]:
                row = {"order": name, "blurred": kind, "area": point["area"]}
                for what in ("error", "probability"):
                    row |= _flatten(what, point[what])
                    for control in ("random", "central", "shuffled"):
                        row |= _flatten(f"{what}_minus_{control}", point[what].get(f"minus_{control}"))
                rows.append(row | {"n": point["error"]["n"]})
    return rows


def curve_charts(figures: Mapping[str, Any]) -> Image.Image:
    """Deletion and insertion, and the error with the most and the least attended pixels blurred; bands are 95 %."""
    orders = figures["orders"]
    shown = "share of the pixels that is sharp"
    blurred = "share of the pixels that is blurred"
    ends = {
        "probability": (figures["probability_sharp"], figures["probability_wholly_blurred"]),
        "error": (figures["error_sharp"], figures["error_wholly_blurred"]),
    }

    def lines(kind: str, what: str, mirrored: bool = False) -> dict[str, Line]:
        sharp, whole = ends[what]
        found = {}
        for name, order in orders.items():
            points = [(0, sharp), *((point["area"], point[what]) for point in order[kind]), (1, whole)]
            if mirrored:
                points = [(1 - area, figure) for area, figure in reversed(points)]
            x, drawn = [area for area, _ in points], [figure for _, figure in points]
            low, high = zip(*(figure["interval"] for figure in drawn), strict=True)
            found[name] = Line(x, [figure["value"] for figure in drawn], low, high, name in CONTROLS)
        return found

    return charts(
        [
            Chart(
                "deletion: the first in the order blurred first",
                blurred,
                "probability of the predicted class",
                lines("most", "probability"),
            ),
            Chart(
                "insertion: the first in the order shown first",
                shown,
                "probability of the predicted class",
                lines("least", "probability", mirrored=True),
            ),
            Chart("error, the first in the order blurred", blurred, "error in %", lines("most", "error")),
            Chart("error, the last in the order blurred", blurred, "error in %", lines("least", "error")),
        ]
    )


def _compare_with_controls(figures: Mapping[str, Any]) -> list[str]:
    """Whether the map says more of its picture than another picture's does, and than the middle of any picture."""
    joint = figures["joint"]
    if joint is None:
        return []
    lines = []
    for control, what in (("shuffled", "another image's"), ("central", "the middle of the picture")):
        differences = {kind: figures["orders"][joint][kind][f"minus_{control}"] for kind in ("deletion", "insertion")}
        told = ", ".join(f"{kind} {format_estimate(difference, '+.3f')}" for kind, difference in differences.items())
        lines.append(f"{joint} minus {what} ('{control}'): {told}")
    return lines


def _flatten(name: str, estimate: Estimate | None) -> dict[str, Any]:
    return flatten_estimate(estimate, name, f"{name}_low", f"{name}_high")


def _cells(figure: Mapping[str, Any], form: str) -> tuple[str, str]:
    """The figure, and its difference to the random order."""
    beyond = figure.get("minus_random")
    return format_estimate(figure, form), "" if beyond is None else format_estimate(beyond, f"+{form}")
