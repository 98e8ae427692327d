"""Error against IoU: which runs are on one front, which of them are best, how it is shown."""

import re

import pytest
from made_runs import history, make_run

from lta.report.figure_files import render_figure_files
from lta.report.fronts import draw_front, find_fronts
from lta.report.groups import group_runs
from lta.report.page import build_report, render_html, render_markdown
from lta.report.runs import read_runs


def taught(place, weight, count, error, iou, seed=0, **results):
    rows = history(error)
    for row in rows:
        row["val/iou"] = iou if row is rows[-1] else 0.1
    masks = f"loss.mask_count={'null' if count is None else count}"
    by = {"labels": True, "masks": (count or 100) if weight else 0}
    return make_run(
        place / f"{weight}_{count}_{seed}",
        "data=digit_scenes",
        "model=vgg_att2",
        f"loss.mask={weight}",
        masks,
        seed=seed,
        error=error,
        **{"history": rows, "taught_by": by} | results,
    )


def groups_of(place):
    return group_runs(read_runs([place])[0])[0]


def report_of(place):
    return build_report("Title", "lta report", "2026-11-30", groups_of(place), [])


@pytest.fixture
def sweep(tmp_path):
    for seed in range(2):
        taught(tmp_path, 0, None, 4 + seed, 0.3 + 0.02 * seed, seed)
        taught(tmp_path, 1, 8, 4.4 + seed, 0.5 + 0.02 * seed, seed)
        taught(tmp_path, 4, 8, 6 + seed, 0.45, seed)
    taught(tmp_path, 1, None, 7, 0.8)
    return tmp_path


def test_configurations_that_differ_by_masks_only_are_one_front_by_iou(sweep):
    make_run(sweep / "other", "data=digit_scenes", "model=vgg_att1", error=1, history=[{"epoch": 0.0, "val/iou": 0.9}])
    make_run(sweep / "without", "data=digit_scenes", "model=vgg_att2", "loss.mask=2", error=1)
    (front,) = find_fronts(groups_of(sweep))
    assert [point.label for point in front.points] == ["labels", "W=4, 8 masks", "W=1, 8 masks", "W=1, 100 masks"]
    assert [point.best for point in front.points] == [True, False, True, True], "4 is worse than 1 in both"
    first = front.points[0]
    assert [round(value, 9) for pair in first.seeds for value in pair] == [0.3, 4, 0.32, 5]
    assert (first.error.mean, round(first.iou.mean, 9), first.iou.n) == (4.5, 0.31, 2)


def test_nothing_is_drawn_of_one_configuration_or_without_iou(tmp_path):
    taught(tmp_path, 1, 8, 5, 0.5)
    make_run(tmp_path / "without", "data=digit_scenes", "model=vgg_att2", error=1)
    assert find_fronts(groups_of(tmp_path)) == []
    taught(tmp_path, 2, 8, 5, 7.0)
    assert find_fronts(groups_of(tmp_path)) == [], "no IoU is 7"
    page, text = render_html(report_of(tmp_path)), render_markdown(report_of(tmp_path))
    assert "Error against IoU" not in page + text


def test_configurations_alike_in_both_are_both_best(tmp_path):
    taught(tmp_path, 1, 8, 5, 0.5)
    taught(tmp_path, 2, 8, 5, 0.5)
    (front,) = find_fronts(groups_of(tmp_path))
    assert [point.best for point in front.points] == [True, True]


def test_page_text_and_files_show_it(sweep):
    report = report_of(sweep)
    page, text = render_html(report), render_markdown(report)
    assert "Error against IoU" in page
    assert page.count("none is better in both") == 3
    row = re.search(r'<th scope="row">W=1, 8 masks</th>.*', page).group()
    assert "4.90 ± 0.71" in row
    assert "0.510 ± 0.014" in row
    assert re.search(r"\| W=4, 8 masks \| .* \| 6.50 ± 0.71 \| 0.450 ± 0.000 \| 2 \|  \| \[\d", text)
    (axes,) = draw_front(report.fronts[0]).axes
    seeds = [tuple(map(tuple, line.get_xydata().round(9).tolist())) for line in axes.lines if line.get_markersize() == 3]
    assert ((0.3, 4.0), (0.32, 5.0)) in seeds
    names = render_figure_files(report, "svg")
    assert any("error_by_iou" in name and content.startswith(b"<?xml") for name, content in names.items())
