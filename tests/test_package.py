"""The package as a whole: who imports whom, what starts without torch, what the wheel carries."""

import ast
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from wheels import install_wheel, run_installed

import lta

ROOT = Path(__file__).resolve().parent.parent

TOP = {"__init__", "__main__", "checks", "instantiate", "protocols"}
"""All modules that lie at the top of the package; everything else is in a folder."""

PLAIN = {"layers", "models", "transforms", "viz", "measures", "effects", "pictures"}
"""Plain PyTorch or NumPy: no lightning, hydra or wandb, so that anyone can lift them out."""

MAY_IMPORT = {
    "__init__": {"apply", "inference"},
    "checks": set(),
    "instantiate": set(),
    "protocols": {"layers", "models"},
    "runtime": {"checks"},
    "layers": {"checks"},
    "models": {"checks", "layers"},
    "measures": {"layers"},
    "viz": {"measures"},
    "effects": {"checks", "viz"},
    "transforms": {"checks", "models", "runtime"},
    "pictures": {"runtime"},
    "data": {"checks", "pictures", "runtime", "transforms"},
    "training": {"checks", "data", "layers", "measures", "models", "pictures", "runtime"},
    "callbacks": {"checks", "data.known_masks", "loggers", "measures", "models", "runtime", "viz"},
    "loggers": {"checks", "cli.migrate", "cli.saved", "instantiate", "runtime"},
    "evaluators": {"checks", "effects", "measures", "runtime.teachers", "transforms", "viz"},
    "sweep": {"checks", "cli.migrate", "runtime"},
    "cli": {"checks", "instantiate", "runtime", "sweep"},
    "inference": {"cli", "data", "instantiate", "measures", "models", "pictures", "runtime", "training", "transforms"},
    "apply": {"checks", "data", "effects", "inference", "measures", "pictures", "runtime.teachers", "viz"},
    "dashboard": {"loggers"},
    "demo": {
        "apply",
        "checks",
        "effects",
        "inference",
        "measures",
        "models",
        "pictures",
        "runtime",
        "teach",
        "training",
        "viz",
    },
    "evaluate": {"cli.plugins", "cli.saved", "data", "evaluators", "inference", "instantiate", "measures", "runtime"},
    "export": {"measures", "runtime"},
    "predict": {"checks", "measures", "pictures", "runtime", "training", "viz"},
    "report": {
        "cli.migrate",
        "runtime.files",
        "runtime.plain_yaml",
        "runtime.run_directory",
        "runtime.spreadsheets",
        "runtime.teachers",
    },
    "teach": {
        "checks",
        "cli.resolvers",
        "cli.saved",
        "data",
        "inference",
        "instantiate",
        "measures",
        "models",
        "pictures",
        "runtime",
        "training",
    },
    "run": {
        "callbacks",
        "cli",
        "data",
        "evaluate",
        "evaluators",
        "inference",
        "instantiate",
        "loggers",
        "measures",
        "runtime",
        "training",
    },
    "testing": {"data", "evaluators", "layers", "models"},
}
"""By folder (or module at the top), what its files may import, beside the contracts: folders, and of one a single module.

A `__main__.py` may import all but another `__main__.py`."""


def modules():
    for path in sorted((ROOT / "lta").rglob("*.py")):
        yield path, path.relative_to(ROOT / "lta").with_suffix("").parts[0]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "lta":
                yield from (f"lta.{alias.name}" for alias in node.names)
            else:
                yield node.module


def test_imports_go_in_the_allowed_directions():
    assert {part for path, part in modules() if path.parent == ROOT / "lta"} == TOP
    for path, part in modules():
        command = path.name == "__main__.py"
        for name in imported(path):
            library, *inside = name.split(".")
            if library == "lta" and inside:
                assert "__main__" not in inside, f"{path} imports a command: {name}"
                assert command or inside[0] in (part, "protocols") or {inside[0], ".".join(inside[:2])} & MAY_IMPORT[part], (
                    f"{path} imports {name}"
                )
            if part in PLAIN:
                assert library not in ("pytorch_lightning", "lightning", "hydra", "wandb", "omegaconf"), f"{path}: {name}"
            if library == "hydra":
                assert command or part in ("cli", "instantiate", "run"), f"{path} imports hydra"
            if library in ("wandb", "wandb_workspaces"):
                assert part in ("loggers", "dashboard"), f"{path} imports wandb"
            if library in ("gradio", "starlette", "skimage"):
                assert part == "demo", f"{path} imports {library}"


def test_plain_packages_hand_on_their_public_names_without_lightning_hydra_and_wandb(tmp_path):
    blocked = "".join(f"sys.modules[{name!r}] = None;" for name in ("pytorch_lightning", "hydra", "wandb", "omegaconf"))
    python("-c", f"import sys; {blocked} " + "; ".join(f"from lta.{name} import *" for name in sorted(PLAIN)), cwd=tmp_path)


LIGHT = ("runtime", "sweep", "cli", "checks")
"""What runs in a sweep's own process, which has no torch in it, and what reads files only; Hydra's plugin is light too."""

LATE = {ROOT / "lta" / "runtime" / "rendezvous.py": {"torch"}}
"""What one of their functions imports when it is called: here, by the processes that torchrun has started."""


def test_a_sweeps_own_process_imports_nothing_heavy():
    heavy = {"torch", "torchvision", "pytorch_lightning", "lightning", "torchmetrics", "wandb", "numpy", "matplotlib"}
    plugin = sorted((ROOT / "hydra_plugins").rglob("*.py"))
    assert not (ROOT / "hydra_plugins" / "__init__.py").exists(), "it is shared with the plugins of others"
    for path in [path for path, part in modules() if part in LIGHT] + plugin:
        libraries = {name.partition(".")[0] for name in imported(path)}
        assert not libraries & heavy - LATE.get(path, set()), path
    for path in plugin:
        outside = {node for node in ast.parse(path.read_text()).body if isinstance(node, (ast.Import, ast.ImportFrom))}
        names = {alias.name if isinstance(node, ast.Import) else node.module for node in outside for alias in node.names}
        assert not any(name.startswith("lta") for name in names), "Hydra imports plugins for every command"


IGNORES = 30
"""Errors of the type checker that may be ignored."""


def test_ignored_type_errors_are_few_and_each_has_a_rule_and_a_reason():
    found = [
        f"{path}: {line.strip()}"
        for path, _ in modules()
        for line in path.read_text().splitlines()
        if re.search(r"(pyright|type): *ignore", line)
    ]
    assert len(found) <= IGNORES
    assert [line for line in found if not re.search(r"# pyright: ignore\[report\w+\] \w+", line)] == []


FOREIGN = re.compile(r"\b(classifier|data|split|network): \"?(Any|object)\b")


def test_classifiers_networks_and_data_are_typed():
    assert [str(path) for path, _ in modules() if FOREIGN.search(path.read_text())] == []


def test_commands_are_short():
    for path, _ in modules():
        if path.name == "__main__.py":
            assert len(path.read_text().splitlines()) < 100


def python(*arguments, cwd):
    """What it printed, and the processor seconds it took: unlike the clock's they don't depend on what else runs."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_command_in_another_folder_runs_this_checkout(tmp_path):
    out, _ = python("-c", "import lta, hydra_plugins; print(lta.__file__, *hydra_plugins.__path__, sep='\\n')", cwd=tmp_path)
    file, *plugins = out.splitlines()
    assert Path(file) == ROOT / "lta" / "__init__.py"
    assert Path(plugins[0]) == ROOT / "hydra_plugins", "before those of an lta that is installed"


def test_help_and_cfg_answer_without_torch(tmp_path):
    blocked = "import sys; sys.modules['torch'] = sys.modules['pytorch_lightning'] = sys.modules['wandb'] = None;"
    begin = (
        "import runpy, sys; sys.argv = ['lta.run', {!r}{}]; runpy.run_module('lta.run', run_name='__main__', alter_sys=True)"
    )
    out, _ = python("-c", blocked + begin.format("--help", ""), cwd=tmp_path)
    for group in (
        "model: air, air_att1, air_att2, air_att3, air_gap, air_wide, air_wide_att3, air_wide_gap, backbone_att1, ",
        "compat: additive, dp, frozen, pc, scaled_dp, uniform",
        "data: cifar10",
        "head: concat, indep",
    ):
        assert group in out
    assert out.count("python -m lta.run ") >= 5 + 1  # five examples and the usage line
    out, _ = python("-c", blocked + begin.format("--cfg", ", 'job'"), cwd=tmp_path)
    assert "_target_: lta.models.vgg_family.vgg_attention" in out
    assert not list(tmp_path.iterdir()), "looking at the configuration leaves nothing behind"


@pytest.mark.parametrize("flag", [["--help"], ["--cfg", "job"]])
def test_help_and_cfg_take_under_a_second(tmp_path, flag):
    """On a slow machine, or a busy one: under half of what the import of torch takes there."""

    def is_quick():
        taken = python("-m", "lta.run", *flag, cwd=tmp_path)[1]
        return taken < 1 or taken < 0.5 * python("-c", "import torch", cwd=tmp_path)[1]

    assert any(is_quick() for _ in range(3))


@pytest.mark.parametrize("module", ["lta", "lta.run", "lta.dashboard"])
def test_a_reader_who_has_enough_of_the_help_ends_it_quietly(tmp_path, module):
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_version_is_that_of_lta(tmp_path):
    out, _ = python("-m", "lta.evaluate", "--version", cwd=tmp_path)
    assert out.startswith(f"lta {lta.__version__}, Hydra ")


def test_every_example_of_the_help_composes(tmp_path):
    out, _ = python("-m", "lta.run", "--help", cwd=tmp_path)
    examples = [line.split()[3:] for line in out.splitlines() if line.startswith("  python -m lta.run ")]
    assert len(examples) >= 5
    (data,) = (line for line in out.splitlines() if line.strip().startswith("data: "))
    assert data.strip() == "data: cifar10, cifar100, cub200, digit_scenes, image_folder, stl10, svhn", "those to train on"
    for example in examples:
        arguments = [argument for argument in example if argument != "-m" and not argument.startswith("resume=")]
        first = [argument.split(",")[0] for argument in arguments]  # of a sweep, its first run
        python("-m", "lta.run", *first, "--cfg", "job", cwd=tmp_path)


@pytest.mark.slow
def test_the_wheel_carries_conf_and_works_outside_the_checkout(tmp_path):
    site = install_wheel(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def installed(*arguments):
        ended = run_installed(site, elsewhere, *arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert str(site) in installed("-c", "import lta; print(lta.__file__)")
    from commands import TINY

    out = installed("-m", "lta.run", *TINY)
    assert "test error" in out
    (run,) = (elsewhere / "runs").iterdir()
    assert "device: cpu" in (run / "run.log").read_text()
    assert "vgg_att3 pc concat" in installed("-m", "lta.report", "runs")
    assert "cifar10_vgg_att2_pc_concat" in installed("-m", "lta.run", "--help")
    out = installed("-m", "lta.run", "-m", *TINY, "seed=0,1", "hydra.sweep.dir=sweep")
    assert "sweep: 2 jobs in sweep, 1 at a time" in out
    assert "[2/2] seed-1: val/error" in out
