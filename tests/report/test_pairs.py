"""`--against`: differences seed by seed, by hand; and the report as JSON."""

import json

import pytest
from made_runs import figure, make_run

from lta.report import __main__
from lta.report.groups import group_runs
from lta.report.pairs import compare_groups
from lta.report.runs import read_runs


def made(tmp_path, **errors):
    """Groups of networks with an error a seed; None where a seed is missing."""
    for model, of in errors.items():
        for seed, error in enumerate(of):
            if error is not None:
                make_run(tmp_path / f"{model}{seed}", "data=cifar10", f"model={model}", seed=seed, error=error)
    return group_runs(read_runs([tmp_path])[0])[0]


def test_differences_by_hand(tmp_path):
    groups = made(tmp_path, vgg=(10.0, 12.0, 11.0), vgg_gap=(9.0, 11.2, 9.8), vgg_late=(11.0, 11.0, 11.0, 3.0))
    gap, late = compare_groups(groups, "vgg")
    assert (gap.group.label, gap.reference.label) == ("vgg_gap", "vgg")
    assert gap.difference.mean == pytest.approx(-1.0)
    half = 4.303 * 0.2 / 3**0.5
    assert gap.difference.interval == pytest.approx((-1 - half, -1 + half))
    assert gap.words == "lower"
    assert late.difference.n == 3, "the fourth seed has no partner"
    assert (late.difference.mean, late.words) == (pytest.approx(0), "not decided")
    (vgg, _) = compare_groups(groups, "vgg_gap")
    assert (vgg.difference.mean, vgg.words) == (pytest.approx(1.0), "higher")


def test_validation_errors_are_compared_too_where_there_are_some(tmp_path, capsys):
    for model, last in (("vgg", (20.0, 21.0, None)), ("vgg_gap", (19.0, 19.5, 20.0))):
        for seed, error in enumerate(last):
            history = [{"epoch": 0.0, "val/error": 50.0}, {"epoch": 1.0} | ({"val/error": error} if error else {})]
            make_run(tmp_path / f"{model}{seed}", "data=cifar10", f"model={model}", seed=seed, history=history)
    (pair,) = compare_groups(group_runs(read_runs([tmp_path])[0])[0], "vgg")
    assert pair.difference.n == 3
    assert (pair.validation.n, pair.validation.mean) == (2, pytest.approx(-1.25)), "seed 2 has none on one side"
    assert __main__.main([str(tmp_path), "--out", str(tmp_path / "out"), "--against", "vgg"]) == 0
    assert "| not decided | -1.25 | -4.43 to +1.93 |" in (tmp_path / "out" / "report.md").read_text().replace("**", "")
    assert "-4.43 to +1.93" in (tmp_path / "out" / "report.html").read_text()
    written = json.loads((tmp_path / "out" / "report.json").read_text())["against"][0]
    assert written["validation_difference"]["mean"] == pytest.approx(-1.25)
    (tmp_path / "without").mkdir()
    for model in ("vgg", "vgg_gap"):
        history = [{"epoch": 0.0, "train/error": 50.0}]
        make_run(tmp_path / "without" / model, "data=cifar10", f"model={model}", history=history)
    (pair,) = compare_groups(group_runs(read_runs([tmp_path / "without"])[0])[0], "vgg")
    assert pair.validation is None


def test_too_few_seeds_are_said(tmp_path):
    groups = made(tmp_path, vgg=(10.0, None), vgg_gap=(9.0, 8.0), vgg_late=(None, 7.0))
    assert [pair.words for pair in compare_groups(groups, "vgg")] == ["one seed", "no seed in common"]
    assert compare_groups(groups, "") == []


def test_differences_without_scatter_decide_nothing(tmp_path):
    (pair,) = compare_groups(made(tmp_path, vgg=(10.0, 11.5), vgg_gap=(9.88, 11.38)), "vgg")
    assert (pair.difference.mean, pair.words) == (pytest.approx(-0.12), "not decided")


def test_another_data_set_is_left_alone(tmp_path):
    make_run(tmp_path / "a", "data=cifar10", "model=vgg")
    make_run(tmp_path / "b", "data=cifar10", "model=vgg_gap")
    make_run(tmp_path / "c", "data=cifar100", "model=vgg_gap")
    groups = group_runs(read_runs([tmp_path])[0])[0]
    assert [(pair.group.names.data, pair.group.label) for pair in compare_groups(groups, "vgg")] == [("cifar10", "vgg_gap")]


def test_a_name_that_fits_none_or_several_is_named(tmp_path):
    make_run(tmp_path / "a", "data=cifar10", "model=vgg", "recipe.lr=0.1")
    make_run(tmp_path / "b", "data=cifar10", "model=vgg", "recipe.lr=0.2")
    groups = group_runs(read_runs([tmp_path])[0])[0]
    with pytest.raises(
        ValueError, match=r'--against=vgg matches several configurations: "vgg, lr=0.1"; "vgg, lr=0.2"; give'
    ):
        compare_groups(groups, "vgg")
    assert compare_groups(groups, "vgg, lr=0.2")[0].group.label == "vgg, lr=0.1"
    with pytest.raises(ValueError, match=r'--against=air matches no configuration; there are "vgg, lr=0.1"; '):
        compare_groups(groups, "air")
    with pytest.raises(ValueError, match="there are none"):
        compare_groups([], "air")


def test_the_command_prints_and_writes_them(tmp_path, capsys):
    answers = {"localisation": {"maps": {"C": {"iou": figure(0.25)}}}}
    for seed, (ours, theirs) in enumerate([(9.0, 10.0), (9.5, 10.4), (8.8, 9.9)]):
        make_run(tmp_path / f"vgg{seed}", "data=cifar10", "model=vgg", seed=seed, error=theirs)
        run = make_run(tmp_path / f"att{seed}", "data=cifar10", "model=vgg_att2", seed=seed, error=ours, answers=answers)
        started = json.loads((run / "run.json").read_text())
        started["starts"][0]["command"].append("hydra.run.dir=/a/place/of/this/machine")
        (run / "run.json").write_text(json.dumps(started))
    assert __main__.main([str(tmp_path), "--out", str(tmp_path / "out"), "--against", "vgg"]) == 0
    said = capsys.readouterr().out
    assert "vgg_att2 pc concat                       -1.00 points (-1.25 to -0.75) against vgg: lower" in said
    for name in ("report.md", "report.html"):
        page = (tmp_path / "out" / name).read_text()
        assert "-1.25 to -0.75" in page
        assert "Differences, seed by seed" in page
    found = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [one["label"] for one in found["configurations"]] == ["vgg", "vgg_att2 pc concat"]
    ours = found["configurations"][1]
    assert [run["test_error"] for run in ours["runs"]] == [9.0, 9.5, 8.8]
    assert ours["test_error"]["mean"] == pytest.approx(9.1)
    assert ours["runs"][0]["command"] == "python -m lta.run data=cifar10 model=vgg_att2 seed=0"
    assert ours["runs"][0]["commit"] == "0123456789abcdef"
    assert ours["runs"][0]["training_flops"] == 2.5e13
    (pair,) = found["against"]
    assert (pair["configuration"], pair["reference"], pair["words"]) == ("vgg_att2 pc concat", "vgg", "lower")
    assert found["answers"][0]["figures"]["maps.C.iou"]["vgg_att2 pc concat"]["mean"] == 0.25


def test_without_a_reference_nothing_is_compared(tmp_path, capsys):
    make_run(tmp_path / "a", "data=cifar10", "model=vgg")
    assert __main__.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    assert "points against" not in capsys.readouterr().out
    assert "Differences" not in (tmp_path / "out" / "report.md").read_text()
    assert json.loads((tmp_path / "out" / "report.json").read_text())["against"] == []
