"""The benchmarks compare what they say they compare, and keep what they find."""

import json
import sys
from pathlib import Path

import processes
import pytest
import torch
from commands import environment

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def run(script, *arguments):
    return processes.run([sys.executable, BENCHMARKS / script, *map(str, arguments)], env=environment())


@pytest.mark.usefixtures("scripts")
def test_the_textbook_network_is_vgg_att3():
    from textbook import TextbookVGGAtt3

    torch.manual_seed(0)
    ours, textbook = vgg_attention(10, "ABC", Parametrised, width=0.0625), TextbookVGGAtt3(10, 0.0625)
    full = vgg_attention(10, "ABC", Parametrised), TextbookVGGAtt3(10)
    assert sum(p.numel() for p in full[0].parameters()) == sum(p.numel() for p in full[1].parameters())
    for mine, theirs in zip(ours.parameters(), textbook.parameters(), strict=True):
        assert mine.numel() == theirs.numel()
        mine.data.add_(0.1 * torch.randn_like(mine))
        theirs.data.copy_(mine.data.view_as(theirs))
    images = torch.randn(3, 3, 32, 32)
    assert torch.allclose(ours.eval()(images).logits, textbook.eval()(images), atol=1e-5)
    textbook(images).sum().backward()
    assert all(p.grad is not None for p in textbook.parameters()), "the branch that the softmax cancels is computed too"
    rates = [[m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)] for network in (ours, textbook)]
    assert rates[0] == rates[1]


@pytest.mark.usefixtures("scripts")
def test_ways_alternate_and_warm_up_rounds_do_not_count():
    from measuring import alternate

    order = []
    ways = {"a": lambda: order.append("a"), "b": lambda: order.append("b")}
    taken = alternate(ways, repetitions=2, warm_up=1, wait=lambda: order.append("wait"))
    assert order == ["a", "wait", "b", "wait"] * 3
    assert {name: len(seconds) for name, seconds in taken.items()} == {"a": 2, "b": 2}


@pytest.mark.usefixtures("scripts")
def test_rows_say_whether_their_bar_is_met_and_are_kept(tmp_path, capsys):
    from measuring import Results, arguments, load

    options = arguments("doc", 3).parse_args(["--out", str(tmp_path / "a" / "thing.json")])
    results = Results(options, "in a test")
    results.ratio("quicker", [2.0, 9.0, 4.0, 3.0], [1.0, 3.0, 2.0, 1.0], at_least=2.5)
    results.ratio("slower", [2.0, 9.0, 4.0], [1.0, 3.0, 2.0], at_least=2.5)
    results.figure("small", [1.0], "ms", at_most=1.0)
    results.figure("large", [1.1], "ms", at_most=1.0)
    results.save()
    shown = capsys.readouterr().out
    kept = load(tmp_path / "a")["thing"]
    assert [row["median"] for row in kept["rows"]] == [2.5, 2.0, 1.0, 1.1]  # of the rounds' ratios, not of medians
    assert [row["met"] for row in kept["rows"]] == [True, False, True, False]
    assert "bar >= 2.5: met" in shown
    assert "bar >= 2.5: MISSED" in shown
    assert {"command", "machine", "code", "git", "conditions"} < kept.keys()


def kept(folder, quartiles, processor="x"):
    folder.mkdir()
    row = {"case": "step", "median": sum(quartiles) / 2, "quartiles": quartiles, "unit": "x"}
    found = {"conditions": "", "machine": {"processor": processor}, "rows": [row]}
    (folder / "step.json").write_text(json.dumps(found))


def test_two_commits_compared(tmp_path):
    kept(tmp_path / "one", [1.0, 1.2])
    kept(tmp_path / "other", [1.1, 1.3])
    kept(tmp_path / "third", [2.0, 2.2], processor="y")
    ended = run("compare.py", "one", "oth", "--results", tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "+9.1 %" in ended.stdout
    assert "CHANGED" not in ended.stdout
    ended = run("compare.py", "one", "third", "--results", tmp_path)
    assert "+90.9 %  CHANGED" in ended.stdout
    assert "processor: x before, y after" in ended.stdout
    for given, said in (
        (["one"], "error: give two commits or none, not 1"),
        (["one", "nowhere"], "error: there are no results of nowhere; there are one, other, third"),
        (["o", "third"], "error: several results begin with o; there are one, other, third"),
    ):
        ended = run("compare.py", *given, "--results", tmp_path)
        assert ended.returncode == 1
        assert ended.stderr.strip() == said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        (
            "dropout.py",
            ["--repetitions", 0],
            "dropout.py: error: argument --repetitions: 0 must be a whole number, at least 1",
        ),
        ("step.py", ["--device", "cudo"], "error: device=cudo is unknown; choose one of auto, cpu, cuda, cuda:N, mps"),
        ("step.py", ["--batch", 1], "error: --batch=1 must be at least 2: batch norm needs two images"),
        ("attention_share.py", ["--widths", 0], "error: model.width=0.0 must be a number in (0, 64)"),
        ("framework.py", ["--steps", 0], "error: --steps=0 must be a whole number, at least 1"),
        ("sweep.py", ["--trivial", 1], "error: --trivial=1 must be at least 2"),
        ("processes.py", ["--steps", 5], "error: --steps=5 must be a whole number, at least 6"),
        ("resident.py", ["--processes", 0], "error: --processes=0 must be a whole number, at least 1"),
    ],
)
def test_a_wrong_value_ends_in_one_line(script, arguments, said):
    ended = run(script, *arguments)
    assert ended.returncode in (1, 2)
    assert ended.stderr.splitlines()[-1] == said
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("step.py", ["--widths", 0.0625, "--batch", 2]),
        ("muon.py", ["--widths", 0.0625, "--batch", 2]),
        ("attention_share.py", ["--widths", 0.0625, "--batch", 2]),
        ("dropout.py", []),
        ("framework.py", ["--width", 0.0625, "--batch", 2, "--steps", 2, "--small-repetitions", 1]),
        ("input_pipeline.py", ["--images", 256]),
        ("preprocess.py", ["--images", 500]),
        ("start.py", []),
        ("precision.py", ["--widths", 0.0625, "--batch", 2]),
        ("memory.py", ["--widths", 0.0625, "--batch", 2]),
        ("panel.py", ["--width", 0.0625]),
        ("processes.py", ["--width", 0.0625, "--batch", 4, "--steps", 6]),
        ("resident.py", ["--images", 8000, "--processes", 2]),
        ("predict.py", ["--pictures", 100]),
    ],
)
def test_a_script_runs_and_keeps_its_rows(script, arguments, tmp_path):
    ended = run(script, *arguments, "--repetitions", 1, "--out", tmp_path / "found.json")
    assert ended.returncode == 0, ended.stderr
    rows = json.loads((tmp_path / "found.json").read_text())["rows"]
    assert rows
    assert all(row["case"] in ended.stdout for row in rows)
