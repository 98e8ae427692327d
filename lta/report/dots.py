"""Test errors as a chart: a dot for each seed, with the mean and its interval, a line for each configuration."""

from collections.abc import Sequence
from textwrap import fill

from matplotlib.figure import Figure

from lta.report.forest import LETTERS
from lta.report.groups import Group
from lta.report.plots import Style

APART = 0.16
"""Of a line's height: how far above its line the seeds' dots lie, so that they do not cover the mean."""


def draw_dots(groups: Sequence[Group], looks: Sequence[Style]) -> Figure | None:
    """Of the groups of one data set, least error on top; None where there is none. Colours follow `plots.use_ink`."""
    if not groups:
        return None
    ordered = sorted(zip(groups, looks, strict=True), key=lambda one: one[0].summary.mean, reverse=True)
    names = [fill(group.label, LETTERS) for group, _ in ordered]
    height = 0.95 + (0.14 + 0.14 * max(name.count("\n") + 1 for name in names)) * len(ordered)  # inches
    figure = Figure(figsize=(7.2, height))
    axes = figure.add_axes((0.4, 0.55 / height, 0.5, 1 - 0.7 / height))
    for place, (group, look) in enumerate(ordered):
        errors, summary = [run.error for run in group.runs], group.summary
        axes.plot(errors, [place + APART] * len(errors), "o", color=look.colour, markersize=3.5, alpha=0.6)
        if summary.interval is not None:
            axes.plot(summary.interval, (place, place), color=look.colour, linewidth=1.8, solid_capstyle="butt")
            axes.plot(summary.mean, place, "|", color=look.colour, markersize=10, markeredgewidth=1.8)
        axes.annotate(
            f"n = {summary.n}", (1.02, place), xycoords=("axes fraction", "data"), verticalalignment="center", fontsize=8
        )
    axes.set_yticks(range(len(ordered)), names)
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xlabel("test error, %: seeds (dots), mean and its 95 % interval")
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure
