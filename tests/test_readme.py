"""What the README and the guide show of Python works as it is printed there."""

import re

import numpy as np
import pytest
from pages import README, ROOT, list_blocks
from PIL import Image
from untrained_run import untrained_run

GUIDE = (ROOT / "docs/guide/python.md").read_text()
START = (ROOT / "docs/start.md").read_text()


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder with the run and the photographs that the pages speak of."""
    (run,) = set(re.findall(r'"(runs/[^"]+)"', GUIDE + START))
    untrained_run(tmp_path / run)
    (tmp_path / "photographs").mkdir()
    for number, name in enumerate(("photographs/a.jpg", "photographs/b.png", "photo.jpg")):
        pixels = np.random.default_rng(number).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_blocks(blocks):
    names = {}
    for block in blocks:
        exec(compile(block, "page.md", "exec"), names)
    return names


def test_the_guide_to_python(elsewhere, capsys):
    blocks = list_blocks(GUIDE, "python")
    assert len(blocks) == 3
    names = run_blocks(blocks)
    shown = capsys.readouterr().out.strip()
    (said,) = re.findall(r"print\(seen\)  # (.*)", GUIDE)
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


def test_the_readme_shows_the_first_of_it():
    assert list_blocks(GUIDE, "python")[0] in list_blocks(README.read_text(), "python")


def test_the_first_page(elsewhere, capsys):
    run_blocks(list_blocks(START, "python"))
    assert re.fullmatch(r"\['digit \d'\] dict_keys\(\['A', 'B', 'C'\]\)\n", capsys.readouterr().out)


def test_the_page_on_predicting_a_folder(elsewhere):
    (block,) = list_blocks((ROOT / "docs/predict.md").read_text(), "python")
    untrained_run(elsewhere / "RUN")
    (elsewhere / "photographs").rename("photos")
    pytest.importorskip("pandas")
    names = run_blocks([block])
    assert len(names["found"].labels) == len(names["found"].to_pandas()) == 2
    assert len((elsewhere / "predictions.csv").read_text().splitlines()) == 3
