"""Learning curves as SVG that takes its ink from the page, so that it is legible on light and dark."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lta.report.groups import Group
from lta.report.names import Names

INK = "#010203"
"""Stands for the page's own text colour until the SVG is written."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")
"""Okabe and Ito's, which colour-blind eyes tell apart."""

BY_MODEL: Mapping[str, str] = {
    "vgg_att3": "#0072b2",
    "vgg_att2": "#d55e00",
    "vgg_att1": "#009e73",
    "vgg": "#8a8a8a",
    "vgg_late": "#e69f00",
    "vgg_gap": "#cc79a7",
    "vgg_pan": "#56b4e9",
    "rn164": "#8a8a8a",
    "rn_att1": "#009e73",
    "rn_att2": "#d55e00",
}
"""The same in every report."""

POINTS = 60
"""Of a line: a page of 100 runs of 300 epochs would have ten megabytes of them."""

LINES = 12
"""Of a chart, at most: more can't be told apart."""

DASHES: Sequence[Any] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.2, 1.2, 1.2)), (0, (8, 3)), (0, (2, 4)))
MARKS = ("", "o", "s", "^", "D", "v", "x")


@runtime_checkable  # the tests check types
class Recorded(Protocol):
    """A run's epochs."""

    @property
    def history(self) -> Sequence[Mapping[str, float]]: ...


@runtime_checkable
class Line(Protocol):
    """What is drawn as one: a group, or an unfinished run."""

    @property
    def names(self) -> Names: ...

    @property
    def label(self) -> str: ...

    @property
    def runs(self) -> Sequence[Recorded]: ...


class Style(NamedTuple):
    """Lines of one colour are told apart by dashes, then by marks."""

    colour: str
    dash: Any
    mark: str


class Chart(NamedTuple):
    """`x` of an epoch's record; `y` is its metric's name."""

    title: str
    x_label: str
    y_label: str
    x: Callable[[Mapping[str, float]], float | None]
    y: str


class Drawing(NamedTuple):
    """A chart with its title, its axes' labels, and the drawing as SVG."""

    title: str
    x_label: str
    y_label: str
    svg: str


def select_groups(groups: Sequence[Group], besides: int = 0) -> list[Group]:
    """Those of least error, as many as can be told apart with `besides` other lines, in their order."""
    least = sorted(groups, key=lambda group: group.summary.mean)[: LINES - besides]
    return [group for group in groups if group in least]


def _epochs(row: Mapping[str, float]) -> float | None:
    return row["epoch"] + 1


def _images(row: Mapping[str, float]) -> float | None:
    return row["time/images"] / 1000 if "time/images" in row else None


def _minutes(row: Mapping[str, float]) -> float | None:
    return row["time/seconds"] / 60 if "time/seconds" in row else None


CHARTS = (
    Chart("Training error", "epochs trained", "train error, %", _epochs, "train/error"),
    Chart("Training loss", "epochs trained", "cross entropy, nats", _epochs, "train/loss"),
    *(
        Chart(title, x_label, y_label, x, metric)
        for title, y_label, metric in (
            ("Validation error", "val error, %", "val/error"),
            ("Test error, looked at in training", "test error, %", "test_each_epoch/error"),
        )
        for x_label, x in (("epochs trained", _epochs), ("images, thousands", _images), ("minutes", _minutes))
    ),
)
"""Of runs with a validation set the test set's curve is usually missing, and of the authors' recipe the other."""


LOGGED = re.compile(
    r"epoch|(train|val)/(error|loss|mask_loss|balanced_error|error_top5|label_error)|val/(auroc_.*|(iou|pointing|energy)/.*)"
    r"|(test_each_epoch|attention|time|lr)(/.*)?"
)
"""Metrics of lta that have a chart, or need none. All others are drawn, those that somebody logs too."""

OTHERS = 12
"""Charts of further metrics, at most."""

ATTENTION: Mapping[str, str] = {
    "effective_positions": "positions that share the attention",
    "peak": "largest weight, times uniform",
    "centre_bias": "distance from the centre, times uniform",
    "agreement": "correlation of two levels' maps",
    "query_grad_norm": "gradient that reaches the query, norm",
    "change": "share that moved since the previous panel",
}
"""What the telemetry says of the maps; entropy says what effective positions say."""


def list_charts(groups: Sequence[Line]) -> list[Chart]:
    """CHARTS, and one for each other metric that runs of these groups have logged, by epoch."""
    others = [key for key in _list_keys(groups) if not LOGGED.fullmatch(key)]
    return [*CHARTS, *(Chart(key, "epochs trained", key, _epochs, key) for key in others[:OTHERS])]


def list_attention_charts(groups: Sequence[Line]) -> list[Chart]:
    """A chart for each statistic of each level's maps, by epoch."""
    found = []
    for key in sorted(_list_keys(groups)):
        first, *parts = key.split("/")
        known = [part for part in parts if part in ATTENTION]
        if first == "attention" and len(parts) == 2 and known:
            (level,) = [part for part in parts if part != known[0]] or [""]
            found.append(
                Chart(f"{level}: {known[0].replace('_', ' ')}", "epochs trained", ATTENTION[known[0]], _epochs, key)
            )
    return found


def _list_keys(groups: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(key for group in groups for run in group.runs for row in run.history for key in row))


def choose_styles(groups: Sequence[Line]) -> list[Style]:
    """Of the groups of one data set, so that a group looks the same in all of its charts. Of a single model each group has a
    colour; else a model has one, of its own as far as there are enough."""
    colours = _choose_colours([group.names.model for group in groups])
    used: dict[str, int] = {}
    found = []
    for colour in colours:
        number = used[colour] = used.get(colour, -1) + 1
        found.append(Style(colour, DASHES[number % len(DASHES)], MARKS[number // len(DASHES) % len(MARKS)]))
    return found


def _choose_colours(models: Sequence[str]) -> list[str]:
    """Of each line, by its model."""
    if len(set(models)) == 1:
        return [COLOURS[number % len(COLOURS)] for number in range(len(models))]
    chosen = {model: BY_MODEL[model] for model in dict.fromkeys(models) if model in BY_MODEL}
    for model in dict.fromkeys(models):
        if model not in chosen:  # begins with one that does not hang on the other models
            first = sum(map(ord, model)) % len(COLOURS)
            order = [*COLOURS[first:], *COLOURS[:first]]
            chosen[model] = min(order, key=list(chosen.values()).count)
    return [chosen[model] for model in models]


def draw(chart: Chart, groups: Sequence[Line], looks: Sequence[Style]) -> Drawing | None:
    """For a page that has the legend already; None where no run recorded it."""
    with use_ink(INK):
        figure = draw_curves(chart, groups, looks)
        return None if figure is None else Drawing(chart.title, chart.x_label, chart.y_label, render_svg(figure))


def use_ink(ink: str) -> AbstractContextManager[Any]:
    """Figures made and saved within have texts and axes of this colour, and texts that stay texts."""
    return mpl.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "lta",
            "font.family": "sans-serif",
            "text.color": ink,
            "axes.labelcolor": ink,
            "axes.edgecolor": ink,
            "xtick.color": ink,
            "ytick.color": ink,
            "font.size": 9,
            "grid.color": ink,
        }
    )


def draw_curves(chart: Chart, groups: Sequence[Line], looks: Sequence[Style], legend: bool = False) -> Figure | None:
    """The mean over seeds, with a band from the lowest to the highest; None where no run recorded it."""
    lines = [
        (group.label, look, points)
        for group, look in zip(groups, looks, strict=True)
        if (points := _collect_points(chart, group))
    ]
    if not lines:
        return None
    figure = Figure(figsize=(8.2 if legend else 5.2, 3.1))
    # A layout engine takes half of the drawing's time.
    axes = figure.add_axes((0.07, 0.15, 0.54, 0.74) if legend else (0.11, 0.15, 0.86, 0.74))
    for label, look, (x, low, middle, high) in lines:
        marked = look.mark or len(x) == 1
        few = {"marker": look.mark or "o", "markersize": 3, "markevery": max(1, len(x) // 8)} if marked else {}
        # Not clipped: half of a line at 0 would be cut off.
        axes.plot(x, middle, color=look.colour, linestyle=look.dash, linewidth=1.6, label=label, clip_on=False, **few)
        if low != high:
            axes.fill_between(x, low, high, color=look.colour, alpha=0.15, linewidth=0)
    axes.set_title(chart.title + ("" if chart.x is _epochs else f", by {chart.x_label.partition(',')[0]}"), fontsize=10)
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
    if min(value for _, _, (_, low, _, _) in lines for value in low) >= 0:
        axes.set_ylim(bottom=0)
    if chart.x_label == "epochs trained":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if legend:
        axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, handlelength=3.5)
    return figure


def render_svg(figure: Figure) -> str:
    """To stand in a page: its background is the page's, and what is of the colour INK takes that of the page's text."""
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    out = io.StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = out.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")


def _collect_points(chart: Chart, group: Line) -> tuple[list[float], list[float], list[float], list[float]] | None:
    """x, lowest, mean and highest by epoch, at most about POINTS of those that every run of the group has."""
    every = max(1, -(-max(len(run.history) for run in group.runs) // POINTS))
    series = []
    for run in group.runs:
        rows = [row for row in run.history if row["epoch"] % every == 0] + list(run.history[-1:])
        points = [(row["epoch"], chart.x(row), row[chart.y]) for row in rows if chart.y in row]
        series.append({epoch: (x, y) for epoch, x, y in points if x is not None})
    series = [one for one in series if one]
    epochs = sorted(set.intersection(*map(set, series))) if series else []
    if not epochs:
        return None
    columns = [[one[epoch] for one in series] for epoch in epochs]
    x = [sum(x for x, _ in column) / len(column) for column in columns]
    ys = [[y for _, y in column] for column in columns]
    return x, [min(y) for y in ys], [sum(y) / len(y) for y in ys], [max(y) for y in ys]
