"""What the README shows of Python works as it stands there."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from untrained_run import untrained_run

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
IN_PYTHON = README.partition("### In Python\n")[2].partition("\n## ")[0]


def test_the_contents_name_every_section():
    anchors = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.*)", README, re.M)]
    assert re.findall(r"\]\(#([^)]+)\)", README.partition("\n## ")[0]) == anchors


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with the run and the two photographs that the README speaks of."""
    (run,) = set(re.findall(r'"(runs/[^"]+)"', IN_PYTHON))
    untrained_run(tmp_path / run)
    (tmp_path / "photographs").mkdir()
    for number, name in enumerate(("a.jpg", "b.png")):
        pixels = np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photographs" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_in_python(elsewhere, capsys):
    blocks = re.findall(r"```python\n(.*?)```", IN_PYTHON, re.DOTALL)
    assert len(blocks) == 3
    names = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    shown = capsys.readouterr().out.strip()
    (said,) = re.findall(r"print\(seen\)  # (.*)", IN_PYTHON)
    spelt = re.compile(r"\w+ \d\.\d\d(?=[,;])")
    assert spelt.sub("LABEL", shown.replace("digit ", "")) == spelt.sub("LABEL", said)
    seen, output = names["seen"], names["output"]
    assert len(seen.labels) == len(seen.probabilities) == 2
    assert seen.maps["B"].shape == (2, 16, 16)
    assert seen.maps["B"].sum((1, 2)).tolist() == pytest.approx([1, 1])
    assert output.logits.shape == (4, 10)
    assert output.attn["B"].shape == output.scores["B"].shape == (4, 16, 16)
    with Image.open("out/negative.jpg") as image:
        assert image.size == (80, 60)
