"""Line charts with bands, several on one page."""

import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's, which colour-blind eyes tell apart."""
CONTROLS = (("#222222", "--"), ("#8a8a8a", "-."), ("#8a8a8a", ":"))


class Line(NamedTuple):
    """Points from left to right; `low` and `high` bound the band. A `control` is drawn in grey and broken."""

    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    control: bool = False


class Chart(NamedTuple):
    """Lines in one frame."""

    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Line]


def charts(pages: Sequence[Chart], columns: int = 2) -> Image.Image:
    """All charts in rows of `columns`, one legend below them; lines of one name look alike everywhere."""
    rows = -(-len(pages) // columns)
    figure = Figure(figsize=(5.2 * columns, 3.6 * rows + 0.4), dpi=110)
    axes = figure.subplots(rows, columns, squeeze=False).flat
    names = list(dict.fromkeys(name for chart in pages for name in chart.lines))
    is_control = {name: line.control for chart in pages for name, line in chart.lines.items()}
    ours, controls = ([name for name in names if is_control[name] == control] for control in (False, True))
    looks = {name: (COLOURS[k % len(COLOURS)], "-") for k, name in enumerate(ours)}
    looks |= {name: CONTROLS[k % len(CONTROLS)] for k, name in enumerate(controls)}
    handles = {}
    for ax, chart in zip(axes, pages, strict=False):
        for name, line in chart.lines.items():
            colour, style = looks[name]
            (handles[name],) = ax.plot(np.asarray(line.x), line.y, style, color=colour, marker="o", markersize=3)
            ax.fill_between(np.asarray(line.x), line.low, line.high, color=colour, alpha=0.15, linewidth=0)
        ax.set(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
        ax.title.set_fontsize(10)
        ax.grid(alpha=0.3)
        ax.spines[["top", "right"]].set_visible(False)
    for ax in list(figure.axes)[len(pages) :]:
        ax.set_visible(False)
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=min(len(handles), 8), frameon=False)
    figure.tight_layout(rect=(0, 0.4 / figure.get_figheight(), 1, 1))
    return _render_figure(figure)


def _render_figure(figure: Figure) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")
