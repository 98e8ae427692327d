"""Tables for a paper, dots of seeds, and curves of metrics that somebody logs."""

import csv
import io

import pytest
from made_runs import history, make_run

from lta.report import __main__, plots
from lta.report.dots import draw_dots
from lta.report.figure_files import render_figure_files
from lta.report.groups import group_runs
from lta.report.page import build_report, render_html
from lta.report.paper_tables import escape_latex, render_paper_tables
from lta.report.runs import read_runs

ERRORS = {"vgg_att2": (10.0, 12.0, 11.0), "vgg_gap": (9.5,)}
HALF = 4.303 / 3**0.5


@pytest.fixture
def runs(tmp_path):
    for model, of in ERRORS.items():
        for seed, error in enumerate(of):
            rows = [{**row, "val/mine": error / 100, "attention/B/peak": 2.0} for row in history(error)]
            where = tmp_path / "runs" / f"{model}{seed}"
            make_run(where, "data=cifar10", f"model={model}", seed=seed, error=error, history=rows)
    return tmp_path / "runs"


def made_of(place):
    return build_report("", "", "", group_runs(read_runs([place])[0])[0], [])


def test_the_default_columns_in_each_form(runs):
    found = render_paper_tables(made_of(runs), "csv,latex,md")
    assert list(found) == ["cifar10_table.csv", "cifar10_table.tex", "cifar10_table.md"]
    first, second = csv.DictReader(io.StringIO(found["cifar10_table.csv"]))
    assert list(first) == ["data", "network", "test error mean", "sd", "interval low", "interval high", "n"]
    assert (first["data"], first["network"], first["n"]) == ("cifar10", "vgg_att2 pc concat", "3")
    numbers = [float(first[key]) for key in ("test error mean", "sd", "interval low", "interval high")]
    assert numbers == pytest.approx([11, 1, 11 - HALF, 11 + HALF], rel=1e-5)
    assert [second[key] for key in ("test error mean", "sd", "interval low", "n")] == ["9.5", "", "", "1"]
    assert found["cifar10_table.tex"].splitlines() == [
        r"% cifar10; needs \usepackage{booktabs}",
        r"\begin{tabular}{lrrrr}",
        r"\toprule",
        r"network & test error, \% & sd & 95 \% interval & n \\",
        r"\midrule",
        r"vgg\_att2 pc concat & 11.00 & 1.00 & 8.52 to 13.48 & 3 \\",
        r"vgg\_gap & 9.50 & -- & -- & 1 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert found["cifar10_table.md"].splitlines()[1:3] == [
        "|---|---:|---:|---:|---:|",
        r"| vgg\_att2 pc concat | 11.00 | 1.00 | 8.52 to 13.48 | 3 |",
    ]


def test_metrics_that_somebody_logs_are_columns(runs):
    found = render_paper_tables(made_of(runs), "md,csv", "network,val/mine,errors")
    assert r"| vgg\_att2 pc concat | 0.11 ± 0.01 | 10.00, 12.00, 11.00 |" in found["cifar10_table.md"]
    assert next(csv.DictReader(io.StringIO(found["cifar10_table.csv"])))["val/mine mean"] == "0.11"
    with pytest.raises(ValueError, match=r"--columns=val/min is unknown; choose from network,mean,.*: val/mine$"):
        render_paper_tables(made_of(runs), "md", "val/min")
    with pytest.raises(ValueError, match=r"--tables=word is unknown; choose one or more of csv,latex,md"):
        render_paper_tables(made_of(runs), "word")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 5 %", r"a\_b \& 5 \%"),
        ("\\x{}~^#$", r"\textbackslash{}x\{\}\textasciitilde{}\textasciicircum{}\#\$"),
        ("-", "--"),
    ],
)
def test_what_latex_would_read(text, expected):
    assert escape_latex(text) == expected


def test_the_command(runs, tmp_path, capsys):
    told = [str(runs), "--out", str(tmp_path / "out"), "--tables", "csv,latex", "--columns", "network, n"]
    assert __main__.main(told) == 0
    assert str(tmp_path / "out/cifar10_table.tex") in capsys.readouterr().out
    assert (tmp_path / "out/cifar10_table.csv").read_text().splitlines()[0] == "data,network,n"
    assert __main__.main([str(runs), "--out", str(tmp_path / "out"), "--columns", "n"]) == 1
    assert "--columns=n is not used without --tables" in capsys.readouterr().err


def test_dots_of_seeds(runs):
    groups = made_of(runs).groups
    (axes,) = draw_dots(groups, plots.choose_styles(groups)).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["vgg_att2 pc concat", "vgg_gap"], "from below"
    dots = [list(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"]
    assert dots == [[10, 12, 11], [9.5]]
    (interval,) = [line.get_xdata() for line in axes.lines if line.get_linestyle() == "-" and line.get_marker() == "None"]
    assert interval == pytest.approx([11 - HALF, 11 + HALF])
    assert [text.get_text() for text in axes.texts] == ["n = 3", "n = 1"]
    assert draw_dots([], []) is None


def test_curves_of_other_metrics_and_of_attention(runs):
    made = made_of(runs)
    assert [chart.title for chart in plots.list_charts(made.groups)][len(plots.CHARTS) :] == ["val/mine"]
    (peak,) = plots.list_attention_charts(made.groups)
    assert (peak.title, peak.y) == ("B: peak", "attention/B/peak")
    page = render_html(made)
    assert "val/mine by epochs trained, a line for each configuration" in page
    assert "Statistics of the maps on cifar10" in page
    assert '<figure class="dots"' in page
    names = render_figure_files(made, "svg")
    assert {"cifar10_test_errors.svg", "cifar10_val_mine_by_epochs_trained.svg"} <= set(names)
