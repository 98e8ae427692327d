"""The report's charts as files of their own, to stand in a paper or a page: with a legend, on white."""

import io
import re
from collections.abc import Iterator

from matplotlib.figure import Figure

from lta.report import plots
from lta.report.dots import draw_dots
from lta.report.forest import draw_forest
from lta.report.fronts import draw_front
from lta.report.page import Report

KINDS = ("svg", "pdf", "png")

INK = "#222222"

DPI = 200
"""Of PNG files."""


def render_figure_files(made: Report, kind: str) -> dict[str, bytes]:
    """By file name, `cifar10_validation_error_by_epochs_trained.svg` for instance."""
    with plots.use_ink(INK):
        return {f"{name}.{kind}": _encode_figure(figure, kind) for name, figure in _draw_figures(made)}


def _draw_figures(made: Report) -> Iterator[tuple[str, Figure]]:
    for data in made.data_sets:
        groups = plots.select_groups(made.groups_of(data))
        looks = plots.choose_styles(groups)
        if (dots := draw_dots(groups, looks)) is not None:
            yield _make_file_name(data, "test errors"), dots
        for chart in plots.list_charts(groups):
            if (figure := plots.draw_curves(chart, groups, looks, legend=True)) is not None:
                yield _make_file_name(data, chart.title, "by", chart.x_label), figure
        of_data = [front for front in made.fronts if front.data == data]
        for number, front in enumerate(of_data, 1):
            which = (str(number),) if len(of_data) > 1 else ()
            yield _make_file_name(data, "error by iou", front.title, *which), draw_front(front)
        pairs = made.pairs_of(data)
        if (figure := draw_forest(pairs)) is not None:
            yield _make_file_name(data, "differences from", pairs[0].reference.label), figure


def _make_file_name(*words: str) -> str:
    return re.sub("[^a-z0-9]+", "_", " ".join(words).lower()).strip("_")


def _encode_figure(figure: Figure, kind: str) -> bytes:
    out = io.BytesIO()
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": None}[kind]
    figure.savefig(out, format=kind, dpi=DPI, facecolor="white", bbox_inches="tight", metadata=undated)
    return out.getvalue()
