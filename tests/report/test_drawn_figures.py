"""Charts: of differences, by hand; and every chart as a file of its own."""

import io
import re

import pytest
from made_runs import make_run
from PIL import Image

from lta.report import __main__, plots
from lta.report.figure_files import render_figure_files
from lta.report.forest import COLOURS, LETTERS, UNDECIDED, draw_forest
from lta.report.groups import group_runs
from lta.report.names import Names
from lta.report.page import render_html
from lta.report.pairs import compare_groups
from lta.report.runs import read_runs

ERRORS = {"vgg": (10.0, 12.0, 11.0), "vgg_gap": (9.0, 11.2, 9.8), "vgg_late": (13.0, 15.1, 14.0, 3.0), "vgg_att1": (10.5,)}


@pytest.fixture
def runs(tmp_path):
    for model, of in ERRORS.items():
        for seed, error in enumerate(of):
            make_run(tmp_path / "runs" / f"{model}{seed}", "data=cifar10", f"model={model}", seed=seed, error=error)
    return tmp_path / "runs"


def pairs_of(runs):
    return compare_groups(group_runs(read_runs([runs])[0])[0], "vgg")


def test_a_line_is_the_interval_and_a_point_the_mean(runs):
    (axes,) = draw_forest(pairs_of(runs)).axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["vgg_late", "vgg_att1 pc single", "vgg_gap"], "from below: the least difference is on top"
    lines = [line for line in axes.lines if line.get_linestyle() == "-"][1:]  # the first marks 0
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(axes.lines[0].get_xdata()) == [0, 0]
    half = 4.303 * 0.2 / 3**0.5
    assert [list(line.get_ydata()) for line in lines] == [[0, 0], [2, 2]], "one seed has no interval"
    assert lines[1].get_xdata() == pytest.approx([-1 - half, -1 + half])
    assert [line.get_xdata()[0] for line in points] == pytest.approx([9.1 / 3, 0.5, -1])
    assert [line.get_fillstyle() for line in points] == ["full", "none", "full"]
    assert [line.get_color() for line in points] == [COLOURS["higher"], UNDECIDED, COLOURS["lower"]]
    assert [text.get_text() for text in axes.texts] == ["n = 3", "n = 1", "n = 3"]
    assert "minus that of vgg," in axes.get_xlabel()


def test_long_labels_take_several_lines(tmp_path):
    for number, more in enumerate(
        ([], ["recipe.lr=0.123", "recipe.momentum=0.8", "recipe.weight_decay=0.001", "model.dropout=0"])
    ):
        make_run(tmp_path / str(number), "data=cifar10", "model=vgg_att3", *more)
    make_run(tmp_path / "late", "data=cifar10", "model=vgg_late")
    figure = draw_forest(compare_groups(group_runs(read_runs([tmp_path])[0])[0], "vgg_late"))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert max(len(line) for label in labels for line in label.split("\n")) <= LETTERS < max(map(len, labels))
    figure.draw_without_rendering()
    assert all(label.get_window_extent().x0 >= 0 for label in figure.axes[0].get_yticklabels())


def test_without_a_seed_in_common_there_is_none(tmp_path):
    make_run(tmp_path / "a", "data=cifar10", "model=vgg", seed=0)
    make_run(tmp_path / "b", "data=cifar10", "model=vgg_gap", seed=1)
    assert draw_forest(pairs_of(tmp_path)) is None
    assert draw_forest([]) is None


def test_the_page_shows_it_in_its_own_ink(runs, tmp_path):
    assert __main__.main([str(runs), "--out", str(tmp_path), "--against", "vgg"]) == 0
    page = (tmp_path / "report.html").read_text()
    assert page.count('<figure class="forest"') == 1
    drawings = page.split("<figure")[1:]
    assert len(drawings) > 5
    assert all("<text" in drawing.partition("</figure>")[0] for drawing in drawings), "texts stay texts"
    assert plots.INK not in page
    assert __main__.main([str(runs), "--out", str(tmp_path)]) == 0
    assert '<figure class="forest"' not in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_every_chart_becomes_a_file(runs, tmp_path, capsys, kind):
    out = tmp_path / "out"
    assert __main__.main([str(runs), "--out", str(out), "--against", "vgg", "--figures", kind]) == 0
    names = {
        "test_errors",
        "training_error_by_epochs_trained",
        "training_loss_by_epochs_trained",
        "validation_error_by_epochs_trained",
        "validation_error_by_images_thousands",
        "validation_error_by_minutes",
        "differences_from_vgg",
    }
    found = {path.name: path.read_bytes() for path in out.glob(f"*.{kind}")}
    assert set(found) == {f"cifar10_{name}.{kind}" for name in names}
    said = capsys.readouterr().out.splitlines()
    assert all(str(out / name) in said for name in found)
    for content in found.values():
        if kind == "png":
            picture = Image.open(io.BytesIO(content))
            assert min(picture.size) > 200
            assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255), "legible on a dark page"
        else:
            assert content.startswith({"svg": b"<?xml", "pdf": b"%PDF"}[kind])
    if kind == "svg":
        curves = found["cifar10_validation_error_by_minutes.svg"].decode()
        assert all(f">{label}<" in curves for label in ("vgg", "vgg_gap", "vgg_late")), "it has its legend with it"
        assert "currentColor" not in curves
    before = dict(found)
    assert __main__.main([str(runs), "--out", str(out), "--against", "vgg", "--figures", kind]) == 0
    assert {path.name: path.read_bytes() for path in out.glob(f"*.{kind}")} == before, "the same, byte by byte"


def test_a_data_set_has_charts_of_its_own(tmp_path):
    for data in ("cifar10", "cifar100"):
        for number, model in enumerate(("vgg", "vgg_gap", "vgg_late")):
            make_run(tmp_path / "runs" / data / model, f"data={data}", f"model={model}", error=10.0 + number)
    made = __main__.build_report("", "", "", group_runs(read_runs([tmp_path / "runs"])[0])[0], [], "vgg")
    assert render_html(made).count('<figure class="forest"') == 2
    for data in ("cifar10", "cifar100"):
        (axes,) = draw_forest(made.pairs_of(data)).axes
        assert [label.get_text() for label in axes.get_yticklabels()] == ["vgg_late", "vgg_gap"]
        found = render_figure_files(made, "svg")[f"{data}_differences_from_vgg.svg"].decode()
        assert found.count(">n = 1<") == 2


def test_long_labels_make_a_wider_file(tmp_path):
    widths = []
    for number, more in enumerate(([], ["recipe.lr=0.123", "recipe.momentum=0.8", "recipe.weight_decay=0.001"])):
        make_run(tmp_path / str(number), "data=cifar10", "model=vgg_att3", *more)
        made = __main__.build_report("", "", "", group_runs(read_runs([tmp_path])[0])[0], [])
        content = render_figure_files(made, "png")["cifar10_validation_error_by_minutes.png"]
        widths.append(Image.open(io.BytesIO(content)).width)
    assert widths[1] > widths[0] + 100, "nothing of the legend is cut off"


def test_more_than_can_be_told_apart_are_left_out_as_in_the_page(tmp_path):
    for number in range(plots.LINES + 2):
        make_run(tmp_path / str(number), "data=cifar10", "model=vgg", f"recipe.lr={number + 1}", error=20.0 - number)
    groups = group_runs(read_runs([tmp_path])[0])[0]
    shown = plots.select_groups(groups)
    assert len(shown) == plots.LINES
    assert {group.summary.mean for group in groups} - {group.summary.mean for group in shown} == {20.0, 19.0}
    assert f"The charts show the {plots.LINES} configurations with the lowest error" in render_html(
        __main__.build_report("", "", "", groups, [])
    )


def test_another_kind_is_named(capsys):
    with pytest.raises(SystemExit):
        __main__.main(["runs", "--figures", "gif"])
    assert "--figures: invalid choice: 'gif'" in capsys.readouterr().err


def test_titles_tell_charts_apart(runs):
    groups, _ = group_runs(read_runs([runs])[0])
    looks = plots.choose_styles(groups)
    drawn = [drawing.svg for chart in plots.list_charts(groups) if (drawing := plots.draw(chart, groups, looks))]
    titles = [re.findall(r">((?:Training|Validation|Test) [^<]*)</text>", svg) for svg in drawn]
    assert len({title for one in titles for title in one}) == len(titles)
    assert ["Validation error, by minutes"] in titles


class Named:
    """As much of a group as its look hangs on."""

    def __init__(self, model):
        self.names, self.label, self.runs = Names(model, None, None, "cifar10"), model, ()


def test_colours_tell_lines_apart_as_far_as_there_are_enough():
    of_one = plots.choose_styles([Named("vgg_att3")] * 12)
    assert len({look.colour for look in of_one}) == len(plots.COLOURS)
    assert len(set(of_one)) == 12
    several = ["air", "backbone_att1", "vgg_att2", "vgg_att3", "air", "mine", "yours"]
    looks = plots.choose_styles([Named(model) for model in several])
    colours = dict(zip(several, (look.colour for look in looks), strict=True))
    assert len(set(colours.values())) == 6, "each model has its own"
    assert colours["vgg_att3"] == plots.BY_MODEL["vgg_att3"], "the same in every report"
    assert looks[0].colour == looks[4].colour
    assert looks[0].dash != looks[4].dash
    assert len(set(plots.choose_styles([Named(f"model{number}") for number in range(12)]))) == 12


def test_a_line_at_the_edge_is_not_cut(tmp_path):
    history = [{"epoch": float(epoch), "train/error": 0.0} for epoch in range(5)]
    make_run(tmp_path / "a", "data=cifar10", "model=vgg", history=history)
    groups, _ = group_runs(read_runs([tmp_path])[0])
    figure = plots.draw_curves(plots.CHARTS[0], groups, plots.choose_styles(groups))
    assert figure is not None
    ((line,),) = [axes.lines for axes in figure.axes]
    assert not line.get_clip_on(), "half of its width would be gone"
    assert figure.axes[0].get_ylim()[0] == 0
