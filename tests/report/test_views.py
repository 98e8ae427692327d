"""Figures with test-time augmentation stand under names of their own."""

from made_runs import figure, make_run

from lta.report.answers import build_tables
from lta.report.groups import group_runs
from lta.report.runs import read_runs


def test_a_report_shows_figures_of_several_views_and_takes_none_for_another(tmp_path):
    plain = {"error": figure(10), "nll": figure(1)}
    make_run(tmp_path / "a", "data=cifar10", "model=vgg", answers={"classification": plain})
    shifted = {"error_shifted": figure(9), "nll_shifted": figure(0.9), "error_by_class_shifted": {"cat": figure(20)}}
    make_run(tmp_path / "b", "data=cifar10", "model=vgg_gap", answers={"classification": shifted})
    (table,) = build_tables(group_runs(read_runs([tmp_path])[0])[0])
    shown = {name: [cell and cell.summary.mean for cell in cells] for name, cells in table.rows.items()}
    assert shown == {"error": [10, None], "error_shifted": [None, 9], "nll": [1, None], "nll_shifted": [None, 0.9]}
