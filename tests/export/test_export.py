"""lta.export as a user starts it, and what its page shows of its files."""

import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import numpy as np
import processes
import pytest
from commands import environment, lta_run
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import nn
from untrained_run import untrained_run

from lta.export import program
from lta.export.__main__ import export
from lta.inference.checkpoint import load

SECTION = (Path(__file__).resolve().parents[2] / "docs/guide/export.md").read_text()


def lta_export(capsys, *arguments):
    return lta_run(capsys, arguments, export, "export", sweeps=False)


def test_without_the_libraries(capsys, tmp_path, monkeypatch):
    def without(*names):
        monkeypatch.setattr(program, "find_spec", lambda name: None if name in names else util.find_spec(name))

    without("onnxscript")
    ended = lta_export(capsys, f"checkpoint={tmp_path}")
    assert (ended.status, ended.err) == (1, "error: format=onnx needs: pip install lta[export]\n")
    program.check_installed("torch_export")
    without("onnxruntime")
    program.check_installed("onnx")
    said = program._check_file("onnx", b"", program.Exportable(nn.Identity(), nn.Identity()), [])
    assert said == "not checked against the network, which needs: pip install onnxruntime"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "checkpoint must be given"),
        (["checkpoint=nowhere"], "there is no checkpoint nowhere"),
        (["checkpoint=run", "which=best"], "run is not a run directory: it has no config.yaml"),
        (["checkpoint=run", "format=onx"], "format=onx is unknown; choose one of onnx, torch_export"),
        (["checkpoint=run", "out=net.pt2"], "out=net.pt2 must end in .onnx with format=onnx"),
        (["checkpoint=run", "out=folder.onnx"], "out=folder.onnx is a folder"),
        (
            ["checkpoint=run", "out=mine.onnx"],
            "mine.onnx already exists: overwrite=true replaces existing files, out=FILE writes",
        ),
        (["checkpoint=run", "overwrite=1"], "overwrite=1 must be true or false"),
        (["checkpoint=run", "device=cpu"], "there is no setting device"),
        (["checkpoint=run", "+device=cpu"], "lta.export has no setting device; its settings are checkpoint, which"),
    ],
)
def test_what_can_be_wrong_is_one_line(capsys, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("folder.onnx").mkdir()
    Path("mine.onnx").write_text("mine")
    ended = lta_export(capsys, *arguments)
    assert (ended.status, len(ended.err.splitlines())) == (1, 1), ended.err
    assert says in ended.err
    assert Path("mine.onnx").read_text() == "mine"


def test_files_are_named_by_the_run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = untrained_run(Path("runs/mine"))
    (run / "checkpoints/best.ckpt").write_bytes((run / "checkpoints/last.ckpt").read_bytes())
    Path("alone.ckpt").write_bytes((run / "checkpoints/last.ckpt").read_bytes())
    written = []

    def write(classifier, form, path, origin):
        written.append((form, str(path), origin))
        return []

    monkeypatch.setattr(program, "export", write)
    for arguments in (
        [f"checkpoint={run}"],
        [f"checkpoint={run}/", "which=best", "format=torch_export"],
        [f"checkpoint={run}/checkpoints/best.ckpt"],
        ["checkpoint=alone.ckpt"],
        [f"checkpoint={run}", "out=there/it.onnx"],
    ):
        ended = lta_export(capsys, *arguments)
        assert ended.status == 0, ended.err
    last, best = ({"run": "mine", "checkpoint": f"{name}.ckpt"} for name in ("last", "best"))
    assert written == [
        ("onnx", "mine.onnx", last),
        ("torch_export", "mine_best.pt2", best),
        ("onnx", "mine_best.onnx", best),
        ("onnx", "alone.onnx", {"run": None, "checkpoint": "alone.ckpt"}),
        ("onnx", "there/it.onnx", last),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("form", program.FORMATS)
def test_the_readme_shows_what_works_without_lta(tmp_path, form):
    """The commands and the examples, to the letter."""
    (run,) = set(re.findall(r"checkpoint=(\S+)", SECTION))
    untrained_run(tmp_path / run, "model.init.scorer=author")
    (tmp_path / "photographs").mkdir()
    Image.fromarray(load_sample_image("flower.jpg")).save(tmp_path / "photographs/a.jpg")
    commands = re.findall(r"^lta (export .*?) *#", SECTION, re.MULTILINE)
    command = commands[list(program.FORMATS).index(form)]
    started = {"cwd": tmp_path, "env": environment(), "capture_output": True, "text": True}
    ended = processes.run([sys.executable, "-m", "lta", *command.split()], cwd=tmp_path, env=environment())
    name = Path(run).name + program.FORMATS[form]
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    if lines[0] == "generated new fontManager":  # matplotlib's, where its cache is new
        lines = lines[1:]
    assert len(lines) == 3, lines
    takes, gives, checked = lines
    assert takes.startswith(f"{name} (0.")
    assert takes.endswith("as many as you like, at any size from 32 x 32")
    assert gives == "gives logits, probabilities, map_A, map_B, map_C: float32"
    assert "7 pictures: off by at most" in checked
    example = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)[list(program.FORMATS).index(form)]
    assert len([line for line in example.splitlines() if line]) <= 10
    blocked = ("lta", "torch") if form == "onnx" else ("lta", "onnx", "numpy")
    blocking = f"import sys; sys.modules.update(dict.fromkeys({blocked})); exec(sys.stdin.read())"
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", blocking], input=example, **started)
    assert ended.returncode == 0, ended.stderr
    classifier = load(tmp_path / run)
    if form == "torch_export":
        assert ended.stdout.strip() == f"{list(classifier.class_names)} torch.Size([4, 10]) torch.Size([4, 16, 16])"
        return
    seen = classifier.predict(Image.open(tmp_path / "photographs/a.jpg"))  # by its path it would be decoded smaller
    assert ended.stdout.strip() == f"{seen.labels[0]} {seen.probabilities.max():.2f}"
    with Image.open(tmp_path / "attention.png") as shown:
        assert shown.size == (32, 32)
        brightest = np.unravel_index(np.asarray(shown).argmax(), (32, 32))
    there = np.unravel_index(seen.maps["B"][0].argmax().item(), (16, 16))
    assert all(abs(fine / 2 - coarse) <= 1.5 for fine, coarse in zip(brightest, there, strict=True))
