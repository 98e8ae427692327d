"""Error against how well maps find the object, over weights and numbers of masks: what teaching maps costs and buys."""

import json
from collections.abc import Sequence
from textwrap import fill
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from lta.report.groups import Group
from lta.report.history import is_number
from lta.report.runs import Run
from lta.report.statistics import Summary, summarise_values

OF_MASKS = ("loss.mask", "loss.mask_count", "loss.mask_kind", "loss.mask_levels")
"""What a sweep of one front may change."""

RULE = (
    "Test error against the IoU of maps with the objects of validation pictures, after the last epoch. Small points are "
    "seeds, large ones their means. The line joins the means that no other mean beats in both."
)

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")
MARKS = ("o", "s", "^", "D", "v", "P", "X")
LETTERS = 46


class Point(NamedTuple):
    """One configuration: what taught it in a few words, its errors (percent) and IoU (0 to 1) over seeds, both of the same
    runs. `best`: no other of its front has both less error and more IoU."""

    group: Group
    label: str
    seeds: Sequence[tuple[float, float]]
    error: Summary
    iou: Summary
    best: bool = True


class Front(NamedTuple):
    """Configurations of one network and data set that differ by their masks only, by IoU."""

    title: str
    data: str
    points: Sequence[Point]


def find_fronts(groups: Sequence[Group]) -> list[Front]:
    """Where at least two configurations that differ by their masks only have recorded both."""
    families: dict[str, list[Group]] = {}
    for group in groups:
        rest = {name: value for name, value in group.settings.items() if name not in OF_MASKS}
        families.setdefault(json.dumps([group.names, rest], sort_keys=True, default=str), []).append(group)
    return [
        Front(str(of[0].names), of[0].names.data, points) for of in families.values() if len(points := _find_points(of)) > 1
    ]


def draw_front(front: Front) -> Figure:
    """Colours follow `plots.use_ink`."""
    figure = Figure(figsize=(7.2, 3.4))
    axes = figure.add_axes((0.09, 0.15, 0.5, 0.74))
    best = [point for point in front.points if point.best]
    axes.plot(
        [point.iou.mean for point in best], [point.error.mean for point in best], color=axes.xaxis.label.get_color(), lw=0.8
    )
    for number, point in enumerate(front.points):
        look: dict[str, Any] = {
            "color": COLOURS[number % len(COLOURS)],
            "marker": MARKS[number // len(COLOURS) % len(MARKS)],
            "linestyle": "none",
        }
        axes.plot([x for x, _ in point.seeds], [y for _, y in point.seeds], markersize=3, alpha=0.6, **look)
        axes.plot(point.iou.mean, point.error.mean, markersize=8, label=fill(_describe(point), LETTERS), **look)
    axes.set_title(front.title, fontsize=10)
    axes.set(xlabel="IoU of maps and objects, validation", ylabel="test error, %")
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    return figure


def _find_points(groups: Sequence[Group]) -> list[Point]:
    points = []
    for group in groups:
        seeds = [(iou, run.error) for run in group.runs if (iou := _read_iou(run)) is not None]
        if seeds:
            ious, errors = zip(*seeds, strict=True)
            points.append(Point(group, _name_masks(group), seeds, summarise_values(errors), summarise_values(ious)))
    points = [point._replace(best=not any(_is_better(other, point) for other in points)) for point in points]
    return sorted(points, key=lambda point: point.iou.mean)


def _is_better(one: Point, other: Point) -> bool:
    """In one of both, and not worse in the other."""
    as_good = one.error.mean <= other.error.mean and one.iou.mean >= other.iou.mean
    return as_good and (one.error.mean, one.iou.mean) != (other.error.mean, other.iou.mean)


def _read_iou(run: Run) -> float | None:
    value = run.history[-1].get("val/iou") if run.history else None
    return float(value) if is_number(value) and 0 <= value <= 1 else None


def _name_masks(group: Group) -> str:
    """ "labels", or the weight and what else was said of masks; their number is what the runs found, where they say it."""
    said = {name: group.settings.get(name) for name in OF_MASKS}
    if not said["loss.mask"]:
        return "labels"
    taught = group.runs[0].results.get("taught_by")
    count = taught.get("masks") if isinstance(taught, dict) else said["loss.mask_count"]
    words = [f"W={said['loss.mask']:g}" if is_number(said["loss.mask"]) else f"W={said['loss.mask']}"]
    words += [f"{count} masks"] if isinstance(count, int) else ["all masks"]
    words += [str(said["loss.mask_kind"])] if said["loss.mask_kind"] not in (None, "bce") else []
    levels = said["loss.mask_levels"]
    return ", ".join([*words, *([f"at {', '.join(map(str, levels))}"] if isinstance(levels, list) else [])])


def _describe(point: Point) -> str:
    return f"{point.label}: {point.error.mean:.2f} %, IoU {point.iou.mean:.3f} (n = {point.iou.n})"
