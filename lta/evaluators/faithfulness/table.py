"""What `faithfulness` found, as lines, as a table and as curves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from PIL import Image

from lta.viz.curves import Chart, Line, charts

CONTROLS = ("shuffled", "random", "central")
LISTED = 0.25
"""The area nearest to this one is listed in the lines."""


def text(figures: Mapping[str, Any], images: str) -> list[str]:
    orders = figures["orders"]
    sharp, blurred = figures["error_sharp"], figures["error_wholly_blurred"]
    areas = figures["areas"]
    at = min(range(len(areas)), key=lambda k: abs(areas[k] - LISTED))
    lines = [
        f"error           {_percent(sharp)} sharp, {_percent(blurred)} wholly blurred; {images}, Gaussian blur of "
        f"{figures['sigma_pixels']:.1f} pixels",
    ]
    if not set(orders) - set(CONTROLS):
        lines.append("no maps         this network has none: random and central pixels only")
    lines.append("probability of the predicted class, area under the curve")
    lines += _columns(
        ("", "deletion (low: faithful)", "minus random", "insertion (high: faithful)", "minus random"),
        (
            (name, *(part for kind in ("deletion", "insertion") for part in _cells(order[kind], ".3f")))
            for name, order in orders.items()
        ),
    )
    lines += _compare_with_controls(figures)
    lines.append(f"error in % with {100 * areas[at]:g} % of the pixels blurred")
    lines += _columns(
        ("", "first in the order", "minus random", "last in the order", "minus random"),
        (
            (name, *(part for kind in ("most", "least") for part in _cells(order[kind][at]["error"], ".1f")))
            for name, order in orders.items()
        ),
    )
    return lines


def table(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each order, end of it that is blurred, and area."""
    rows = []
    for name, order in figures["orders"].items():
        for kind in ("most", "least"):
            for point in order[kind]:
                row = {"order": name, "blurred": kind, "area": point["area"]}
                for what in ("error", "probability"):
                    row |= _flatten_estimate(what, point[what])
                    for control in ("random", "central", "shuffled"):
                        row |= _flatten_estimate(f"{what}_minus_{control}", point[what].get(f"minus_{control}"))
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
        told = ", ".join(f"{kind} {_format_signed(difference, '.3f')}" for kind, difference in differences.items())
        lines.append(f"{joint} minus {what} ('{control}'): {told}")
    return lines


def _percent(figure: Mapping[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{figure['value']:.1f} % ({low:.1f} to {high:.1f})"


def _cells(figure: Mapping[str, Any], form: str) -> tuple[str, str]:
    """The figure, and its difference to the random order."""
    low, high = figure["interval"]
    own = f"{figure['value']:{form}} ({low:{form}} to {high:{form}})"
    beyond = figure.get("minus_random")
    if beyond is None:
        return own, ""
    return own, _format_signed(beyond, form)


def _format_signed(figure: Mapping[str, Any], form: str) -> str:
    low, high = figure["interval"]
    return f"{figure['value']:+{form}} ({low:+{form}} to {high:+{form}})"


def _columns(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rows = [heading, *rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(heading))]
    return ["  " + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _flatten_estimate(name: str, figure: Mapping[str, Any] | None) -> dict[str, Any]:
    value, (low, high) = (figure["value"], figure["interval"]) if figure else (None, (None, None))
    return {name: value, f"{name}_low": low, f"{name}_high": high}
