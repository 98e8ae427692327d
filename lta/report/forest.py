"""Paired differences as a chart: each configuration's mean difference and its interval on one line, with 0 marked."""

from collections.abc import Mapping, Sequence
from textwrap import fill

from matplotlib.figure import Figure

from lta.report.pairs import Pair

COLOURS: Mapping[str, str] = {"lower": "#0072b2", "higher": "#d55e00"}
"""By a pair's words; any other is grey."""

UNDECIDED = "#8a8a8a"

LETTERS = 36
"""Of a label on one line: what the space beside the axes holds."""


def draw_forest(pairs: Sequence[Pair]) -> Figure | None:
    """Of the pairs of one data set, least difference on top, a hollow point where there is no interval.

    Colours follow `plots.inked`. None where no pair has a seed in common.
    """
    drawn = [(pair, pair.difference) for pair in pairs if pair.difference is not None]
    if not drawn:
        return None
    drawn.sort(key=lambda one: one[1].mean, reverse=True)
    names = [fill(pair.group.label, LETTERS) for pair, _ in drawn]
    height = 0.9 + (0.1 + 0.14 * max(name.count("\n") + 1 for name in names)) * len(drawn)  # inches
    figure = Figure(figsize=(7.2, height))
    axes = figure.add_axes((0.4, 0.55 / height, 0.5, 1 - 0.65 / height))
    axes.axvline(0, color=axes.xaxis.label.get_color(), linewidth=0.8)
    for place, (pair, one) in enumerate(drawn):
        colour = COLOURS.get(pair.words, UNDECIDED)
        if one.interval is not None:
            axes.plot(one.interval, (place, place), color=colour, linewidth=1.8, solid_capstyle="butt")
        axes.plot(one.mean, place, "o", color=colour, markersize=5, fillstyle="none" if one.interval is None else "full")
        axes.annotate(
            f"n = {one.n}", (1.02, place), xycoords=("axes fraction", "data"), verticalalignment="center", fontsize=8
        )
    axes.set_yticks(range(len(drawn)), names)
    axes.set_ylim(-0.6, len(drawn) - 0.4)
    axes.set_xlabel(f"test error minus that of {drawn[0][0].reference.label}, points, 95 % interval")
    axes.grid(axis="x", alpha=0.25, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return figure
