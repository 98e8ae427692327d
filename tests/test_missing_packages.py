"""What runs where packages are missing that are needed for a part only, and what is said where that part is asked for."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import TINY, assert_refused, environment, lta_run
from PIL import Image

from lta.effects.attention_mask import fit_mask_to_image

ROOT = Path(__file__).resolve().parents[1]

FOR_PARTS = {"wandb", "wandb_workspaces", "kornia", "timm", "tensorboard", "captum", "pytorch_grad_cam", "gradio", "skimage"}
FOR_PARTS |= {"onnx", "onnxscript", "onnxruntime", "pi_heif", "pillow_heif", "optuna", "submitit", "sklearn"}

ALONE = {"demo": {"gradio", "skimage"}, "evaluators": {"sklearn"}}
"""By folder, what modules may import that nothing imports before it is asked for."""


def test_no_module_imports_them_when_it_is_imported():
    for path in sorted((ROOT / "lta").rglob("*.py")):
        outside = [node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = {alias.name for node in outside if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module for node in outside if isinstance(node, ast.ImportFrom)}
        allowed = ALONE.get(path.relative_to(ROOT / "lta").parts[0], set())
        assert not {name.partition(".")[0] for name in names} & (FOR_PARTS - allowed), path


@pytest.mark.parametrize("name", ["wandb", "tensorboard"])
def test_a_logger_whose_package_is_missing_is_refused_before_anything_is_begun(name, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    ended = lta_run(capsys, [*TINY, f"logger={name}", f"hydra.run.dir={tmp_path}/run"])
    assert_refused(ended, f"logger={name} needs the package {name}, which is not installed: pip install ")
    assert "or logger=csv does without" in ended.err
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_borders_at_edges_need_kornia(monkeypatch):
    monkeypatch.setitem(sys.modules, "kornia", None)
    mask, picture = torch.rand(4, 4), torch.zeros(3, 40, 40, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"edges above 0 needs the package kornia, which is not installed: pip install kor"):
        fit_mask_to_image(mask, picture)
    assert fit_mask_to_image(mask, picture, edges=0).shape == (40, 40)


PROGRAM = """
import importlib.metadata, runpy, sys
sys.modules.update(dict.fromkeys({missing!r}))
known = importlib.metadata.version
def version(name):
    if name in {missing!r}:
        raise importlib.metadata.PackageNotFoundError(name)
    return known(name)
importlib.metadata.version = version
for module, *arguments in {commands!r}:
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
def test_commands_run_without_them(tmp_path):
    """In one process that can import none of them."""
    Image.new("RGB", (40, 40), "red").save(tmp_path / "red.png")
    run = str(tmp_path / "run")
    commands = [
        ["lta.run", *(option for option in TINY if option != "logger=none"), "logger=csv", f"hydra.run.dir={run}"],
        ["lta.evaluate", f"checkpoint={run}", "evaluator=classification,localisation,faithfulness,roles", "device=cpu"],
        ["lta.predict", f"checkpoint={run}", f"images={tmp_path}/red.png", f"out={tmp_path}/said", "overlays=all"],
        ["lta.report", run, f"--out={tmp_path}"],
    ]
    missing = sorted(FOR_PARTS - {"sklearn"})  # which draws digit_scenes
    program = PROGRAM.format(missing=missing, commands=commands)
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment(), "PYTHONPATH": os.environ["PYTHONPATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "said" / "predictions.csv").is_file()
    assert (tmp_path / "report.html").is_file()
    assert '"wandb"' not in (tmp_path / "run" / "run.json").read_text()
