"""What the page says, in HTML and Markdown."""

import base64
import json
import re

from made_runs import figure, make_run, picture

from lta.report import plots
from lta.report.__main__ import main
from lta.report.groups import group_runs
from lta.report.page import build_report, render_html, render_markdown
from lta.report.panels import BUDGET, build_films, build_sheets
from lta.report.runs import read_runs


def made(place, title="Title", command="python -m lta.report runs"):
    runs, left_out = read_runs([place])
    groups, repeated = group_runs(runs)
    return build_report(title, command, "2026-11-22 10:00+00:00", groups, [*left_out, *repeated])


def escaped(text):
    """For Markdown."""
    return str(text).replace("_", "\\_")


def cells(page, label):
    """Of the row of the first table that begins with `label`, without markup."""
    row = re.search(rf'<tr[^>]*>\s*<th scope="row">{re.escape(label)}.*?</tr>', page, re.S).group()
    return [
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", cell)).strip() for cell in re.findall(r"<t[dh].*?</t[dh]>", row, re.S)
    ]


def test_the_paper_stands_beside_ours(tmp_path):
    for seed, error in enumerate((5.2, 5.3, 5.4)):
        make_run(tmp_path / str(seed), "data=cifar10", "model=vgg_att2", "recipe=author", seed=seed, error=error)
    page = render_html(made(tmp_path))
    assert cells(page, "vgg_att2 pc concat") == [
        "vgg_att2 pc concat",
        "5.23 quoted",
        "5.42",
        "-",
        "5.30 ± 0.10 [1-3]",
        "5.05 to 5.55",
        "3",
        "reproduced one more run: 4.80 to 5.80; recorded figure 5.42; quoted figure 5.23",
        "none",
    ]
    assert cells(page, "vgg_att3 pc concat") == ["vgg_att3 pc concat", "-", "6.45", "-", "not run", "", "", "", ""]
    assert cells(page, "vgg_pan")[:2] == ["vgg_pan", "6.29 unchecked"]
    assert cells(page, "vgg_att2 dp concat")[3] == "5.21"
    assert "is not the 5.23 % row: that is vgg_att2 (pc, concat)" in page
    assert "Not comparable means that one of these holds" in page
    text = render_markdown(made(tmp_path))
    assert f"| 1 | {escaped(tmp_path / '0')} | 0 | 5.20 | last.ckpt | python -m lta.run data=cifar10" in text
    assert (
        "| vgg\\_att2 pc concat | 5.23 (quoted) | 5.42 | - | 5.30 ± 0.10 | 5.05 to 5.55 | 3 | [1-3] | **reproduced**:"
        in text
    )
    assert "6.29 (unchecked)" in text
    assert "is not the 5.23 % row" in text


def test_a_data_set_without_published_figures_has_no_verdict(tmp_path):
    make_run(tmp_path / "run", "data=digit_scenes", "model=vgg_att2")
    page = render_html(made(tmp_path))
    assert cells(page, "vgg_att2 pc concat")[:4] == ["vgg_att2 pc concat", "5.00 [1]", "one seed", "1"]
    assert "<th>verdict</th>" not in page


def test_every_figure_of_ours_names_runs_seeds_checkpoints_and_commands(tmp_path):
    for seed in (0, 1):
        answers = {"classification": {"error": figure(5.0 + seed)}}
        make_run(tmp_path / str(seed), "data=cifar10", "model=vgg_att3", seed=seed, answers=answers)
    page = render_html(made(tmp_path))
    traced = re.findall(r'title="(\[1\][^"]*)"', page)
    assert len(traced) == 4, "error, an answer, minutes, images a second"
    answered = [title for title in traced if "lta.evaluate" in title]
    assert answered == [
        "\n".join(
            f"[{seed + 1}] {tmp_path / str(seed)}, seed {seed}, best.ckpt: python -m lta.evaluate evaluator=classification"
            for seed in (0, 1)
        )
    ], "an answer has a checkpoint and a command of its own"
    for title in set(traced) - set(answered):
        for seed in (0, 1):
            command = f"python -m lta.run data=cifar10 model=vgg_att3 seed={seed}"
            assert f"[{seed + 1}] {tmp_path / str(seed)}, seed {seed}, last.ckpt: {command}" in title
    assert 'id="run-1"' in page
    assert 'href="#run-1"' in page


def test_what_taught_the_maps_stands_beside_each_configuration(tmp_path):
    taught = {"labels": True, "masks": 8, "levels": ["B"], "kind": "bce", "weight": 1}
    make_run(tmp_path / "masks", "model=vgg_att2", "loss.mask=1", taught_by=taught)
    make_run(tmp_path / "labels", "model=vgg_att3", taught_by={"labels": True, "masks": 0})
    make_run(tmp_path / "before", "model=vgg")
    page, text = render_html(made(tmp_path)), render_markdown(made(tmp_path))
    assert "<td>labels and 8 masks</td>" in page
    assert page.count("<td>labels</td>") == 1
    assert "| 123,456 | labels and 8 masks | " in text
    assert "| 123,456 | - | " in text


def test_a_citation_leads_to_the_runs_it_names(tmp_path):
    for model in ("vgg_att2", "vgg_att3"):
        make_run(tmp_path / model, "data=cifar10", f"model={model}")
    page = render_html(made(tmp_path))
    assert re.findall(r'href="#run-(\d+)" data-runs="(\d+)"', page) == [("1", "1"), ("2", "2")] * 2, "errors, then costs"


def test_a_run_names_every_commit_and_command_that_it_was_started_with(tmp_path):
    run = make_run(tmp_path / "a", "data=cifar10")
    starts = json.loads((run / "run.json").read_text())["starts"]
    again = {"command": ["python", "-m", "lta.run", "resume=a"], "git": {"commit": "fedcba9876543210", "changed": True}}
    (run / "run.json").write_text(json.dumps({"starts": [*starts, again, again]}))
    said = "0123456789; then fedcba9876, changed (2026-11-20T10:00)"
    assert f"<td>{said}</td>" in render_html(made(tmp_path))
    assert f"python -m lta.run data=cifar10 seed=0; then python -m lta.run resume=a | {said} |" in render_markdown(
        made(tmp_path)
    )


def test_many_configurations_are_not_all_drawn_and_it_is_said_which(tmp_path):
    for number in range(plots.LINES + 2):
        make_run(tmp_path / str(number), "data=cifar10", f"recipe.lr=0.{number + 1:02d}", error=5.0 + number)
    page = render_html(made(tmp_path))
    legend = page.split('<ul class="legend">')[1].split("</ul>")[0]
    assert legend.count("<li>") == plots.LINES
    said = re.search(r"The others are only in the tables: (.*?)</p>", page)[1]
    assert ("lr=0.13" in said, "lr=0.14" in said, "lr=0.01" in legend, "lr=0.14" in legend) == (True, True, True, False)


def test_what_can_not_be_compared_is_named_in_both_and_foreign_data_have_their_own_title(tmp_path):
    make_run(tmp_path / "a", "data=cifar10", "model=vgg_att2", "model.width=0.5")
    make_run(tmp_path / "b", "data=digit_scenes")
    page, text = render_html(made(tmp_path)), render_markdown(made(tmp_path))
    assert "on cifar10: width 0.5 (authors: 1)" in text.split("## What can't be compared, and why")[1].split("##")[0]
    assert page.count("<th>deviations from the authors' training</th>") == 1 or page.count("authors&#39; training</th>") == 1
    assert page.count("training on CIFAR-10</th>") == 1


def test_markup_in_names_is_shown_and_not_run(tmp_path):
    evil = "<script>alert(1)</script>"
    run = make_run(
        tmp_path / "<b>bold|</b>",
        "data=cifar10",
        "model=vgg_att3",
        coding=evil,
        answers={"mine": {evil: figure(1)}, "query": {"levels": {"A": {"verdict": {"words": evil}}}}},
    )
    (run / "run.json").write_text(
        '{"starts": [{"command": ["<img src=x onerror=alert(2)>\\r![a](http://x.invalid/p.png)"], "time": "1"}]}'
    )
    (tmp_path / "<i>left").mkdir()
    (tmp_path / "<i>left" / "run.json").write_text("{}")
    page = render_html(made(tmp_path, title=evil, command=evil))
    assert page.count("<script>") == 1, "the page's own"
    assert "<img src=x" not in page
    assert "<b>bold" not in page
    assert "<i>left" not in page
    assert "&lt;script&gt;alert(1)" in page
    text = render_markdown(made(tmp_path))
    assert "<script>" not in text
    assert "<b>bold" not in text
    assert "bold\\|" in text
    assert not re.search(r"(?<!\\)!\[", text)
    assert "\r" not in text


def test_what_is_left_out_is_listed(tmp_path):
    make_run(tmp_path / "run", "data=cifar10")
    (make_run(tmp_path / "torn", "data=cifar10") / "results.json").write_text("{")
    for page in (render_html(made(tmp_path)), render_markdown(made(tmp_path))):
        assert "torn" in page
        assert "results.json is broken" in page
        assert "without evaluations" in page


def test_settings_that_differ_are_marked(tmp_path):
    for number, width in enumerate((1.0, 1.0, 0.5)):
        make_run(
            tmp_path / str(number),
            "data=cifar10",
            ("model=vgg_att1", "model=vgg_att2", "model=vgg_att3")[number],
            f"model.width={width}",
        )
    page = render_html(made(tmp_path))
    row = re.search(r"<code>model.width</code>.*?</tr>", page, re.S).group()
    assert re.findall(r"<td(.*?)>(.*?)</td>", row) == [("", "1.0"), ("", "1.0"), (' class="unlike"', "0.5")]


def test_curves_take_the_pages_ink_and_each_model_keeps_its_colour(tmp_path):
    make_run(tmp_path / "a", "data=cifar10", "model=vgg_att3")
    make_run(tmp_path / "b", "data=cifar10", "model=vgg_gap")
    page = render_html(made(tmp_path))
    charts = re.findall(r"<figure[^>]*>\s*<svg.*?</svg>\s*</figure>", page, re.S)
    assert len(charts) == 6, "the seeds, and five by epoch"
    for svg in charts:
        assert "currentColor" in svg
        assert "#010203" not in svg
        assert "#0072b2" in svg.lower()
        assert "#cc79a7" in svg.lower()
    assert [sum(x in svg for svg in charts) for x in ("epochs trained", "images, thousands", "minutes")] == [3, 1, 1]
    history = [{"epoch": 0.0, "train/error": 9.0, "test_each_epoch/error": 8.0, "time/images": 6000.0}]
    make_run(tmp_path / "c", "data=svhn", "recipe=author", history=history)
    with_test = re.findall(r"<figure[^>]*>\s*<svg.*?</svg>\s*</figure>", render_html(made(tmp_path)), re.S)
    assert sum("Test error, looked at in training" in svg for svg in with_test) == 2


def test_curves_are_means_of_the_same_epochs_and_keep_the_last(tmp_path):
    rows = [{"epoch": float(epoch), "val/error": float(epoch)} for epoch in range(300)]
    make_run(tmp_path / "a", "data=cifar10", seed=0, history=rows)
    make_run(
        tmp_path / "b", "data=cifar10", seed=1, history=[{**row, "val/error": row["val/error"] + 2} for row in rows[100:]]
    )
    (group,) = made(tmp_path).groups
    chart = next(chart for chart in plots.CHARTS if chart.title == "Validation error")
    x, low, middle, high = plots._collect_points(chart, group)
    assert (x[0], x[-1], len(x) <= plots.POINTS + 1) == (101, 300, True)
    assert (low[-1], middle[-1], high[-1]) == (299, 300, 301)


def test_panels_fit_the_page_and_say_what_is_missing(tmp_path, monkeypatch):
    for name, model in (("a", "vgg_att2"), ("b", "vgg_att3")):
        make_run(tmp_path / name, "data=cifar10", f"model={model}", panels=20)
    (tmp_path / "b" / "attention" / "epoch_0019.png").write_bytes(b"no picture")
    groups = made(tmp_path).groups
    first, second = build_films(groups)
    assert [panel.epoch for panel in first.panels] == [0, 3, 5, 8, 11, 14, 16, 19]
    assert [panel.epoch for panel in second.panels] == [0, 3, 5, 8, 11, 14, 16]
    assert second.left_out == f"7 of 20 panels; all lie in {tmp_path / 'b' / 'attention'}"
    budget = 5 * max(len(panel.source) for panel in first.panels)
    monkeypatch.setattr("lta.report.panels.BUDGET", budget)
    fewer = build_films(groups)
    assert sum(len(panel.source) for film in fewer for panel in film.panels) <= budget
    assert [panel.epoch for panel in fewer[0].panels] == [0, 19], "its half holds two, of which the last comes first"
    assert fewer[1].panels
    assert BUDGET < 10_000_000


def test_of_data_of_ones_own_it_says_nothing_of_the_paper(tmp_path, capsys):
    for seed in range(2):
        make_run(tmp_path / str(seed), "data=image_folder", "model=vgg_att1", "data.root=mine", seed=seed, error=5 + seed)
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 0
    page, text = ((tmp_path / f"report.{form}").read_text() for form in ("html", "md"))
    assert "<title>Our runs</title>" in page
    assert text.startswith("# Our runs\n\n1 configuration, 2 runs.")
    shown = re.sub(r"<(style|script|svg).*?</\1>", "", page, flags=re.DOTALL)
    for said in (shown, text, capsys.readouterr().out):
        assert not re.findall(r"Jetley|[Pp]ublished|[Vv]erdict|compar|authors'", said)
    make_run(tmp_path / "beside", "data=cifar10", "model=vgg_att1")
    assert main([str(tmp_path), "--out", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "<title>Learn To Pay Attention: the paper and our runs</title>" in page
    assert page.count("Nothing is published for this data set") == 1


def test_the_confusion_matrix_and_the_surest_mistakes_are_shown(tmp_path):
    answers = {"classification": {"error": figure(5.0)}}
    make_run(tmp_path / "asked", "data=image_folder", "model=vgg_att1", answers=answers)
    make_run(tmp_path / "not", "data=image_folder", "model=vgg_att2")
    assert "Confusion matrix" not in render_html(made(tmp_path)), "none was drawn"
    drawn = tmp_path / "asked/evaluations/classification"
    drawn.mkdir()
    for number, name in enumerate(("confusion", "surest_mistakes", "calibration")):
        (drawn / f"{name}.png").write_bytes(picture(number))
    (drawn / "surest_mistakes.png").write_bytes(b"no picture")
    sheets = build_sheets(group_runs(read_runs([tmp_path])[0])[0])
    assert [(sheet.run.path.name, sheet.title) for sheet in sheets] == [("asked", "Confusion matrix")]
    page = render_html(made(tmp_path))
    assert page.count(sheets[0].source) == 1
    assert base64.b64decode(sheets[0].source.partition(",")[2]) == picture(0)
