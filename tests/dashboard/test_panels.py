"""What the dashboard names is what our runs log, and nothing of theirs is left out; the command prints and refuses."""

import json
import subprocess
import sys
from fnmatch import fnmatch

import processes
import pytest
import torch
from torchmetrics import MetricCollection
from wandb_commands import OFFLINE, environment, history, lta, parts

from lta.cli.plugins import CONF
from lta.dashboard.panels import EVALUATED, SECTIONS, Curves, keys, outline
from lta.loggers.wandb_run import EPOCH_KEYS
from lta.training.label_metrics import make_label_metrics

RUN = [
    *OFFLINE,
    "model=vgg_att3_three_globals",
    "compat=dp",
    "recipe=muon",
    "recipe.epochs=2",
    "data.train_size=200",
    "data.test_size=64",
    "test_each_epoch=true",
    "callbacks.attention_maps.images=2",
    f"evaluator=[{','.join(EVALUATED)}]",
    "evaluator.localisation.explanation_images=4",
    "evaluator.localisation.steps=2",
    "evaluator.faithfulness.images=10",
    "evaluator.robustness.eps=[4]",
    "evaluator.robustness.pgd_images=8",
    "evaluator.robustness.masking_images=2",
    "evaluator.transfer.folds=2",
    "loss.mask=1",
]
"""All that the dashboard shows: two epochs, so that attention has moved; a query for each level; every evaluator; masks."""


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """What a real run has sent, as {where: keys}, and its configuration."""
    directory = tmp_path_factory.mktemp("shown") / "run"
    ended = lta(*RUN, f"hydra.run.dir={directory}", cwd=directory.parent, timeout=500)
    assert ended.returncode == 0, ended.stderr
    (part,) = parts(directory)
    viewer = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", part]
    whole = json.loads(processes.run(viewer, check=True).stdout)
    rows = {key: value for row in history(directory) for key, value in row.items()}
    kinds = {key.removesuffix("._type"): value for key, value in rows.items() if key.endswith("._type")}
    return {
        "history": {key for key, value in rows.items() if isinstance(value, (int, float))},
        "summary": set(whole["summary"]),
        "pictures": {key for key, kind in kinds.items() if kind.startswith("image")},
        "table": {key for key, kind in kinds.items() if kind == "table-file"},
    }, whole["config"]


def log_of_labels():
    """What runs with several labels a picture log beside the others."""
    metrics = MetricCollection(dict(make_label_metrics(["a", "b"])), prefix="val/")
    metrics.update(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]), torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8))
    return set(metrics.compute())


@pytest.mark.slow
def test_every_key_is_one_that_a_real_run_logs(logged):
    found, config = logged
    found = found | {"history": found["history"] | log_of_labels()}
    for where, key in keys():
        if where == "config":
            node = config
            for part in key.split("."):
                assert part in node, key
                node = node[part]
            assert not isinstance(node, (dict, list)), f"{key} is a part of the configuration, not a value"
        else:
            assert key in found[where], f"{key} is not in a run's {where}"


@pytest.mark.slow
def test_all_that_is_logged_of_attention_and_by_evaluators_is_shown(logged):
    found, _ = logged
    named = {(where, key) for where, key in keys()}
    for where in ("pictures", "table"):
        assert {key for key in found[where] if (where, key) not in named} == set()
    attention = {key for key in found["history"] if key.startswith("attention/") and "panel" not in key}
    assert {key for key in attention if ("history", key) not in named} == set()


@pytest.mark.slow
def test_runs_that_differ_in_their_seed_alone_share_a_setting(logged):
    assert logged[1]["run"]["setting"] == "vgg_att3_three_globals dp"


def test_every_curve_over_epochs_is_one_that_w_and_b_is_told_to_draw_so():
    curves = {
        key
        for section in SECTIONS
        for panel in section.panels
        if isinstance(panel, Curves)
        for key in panel.y
        if panel.x == "epoch"
    }
    assert {"lr", "lr/muon", "val/error"} <= curves
    assert {key for key in curves if not any(fnmatch(key, pattern) for pattern in EPOCH_KEYS)} == set()


def test_every_evaluator_has_a_section():
    assert set(EVALUATED) == {path.stem for path in (CONF / "evaluator").glob("*.yaml")}


def test_no_two_panels_of_a_section_are_the_same():
    for section in SECTIONS:
        assert len(set(section.panels)) == len(section.panels)
    assert len({section.name for section in SECTIONS}) == len(SECTIONS)


def command(*arguments, block=("torch", "wandb", "wandb_workspaces"), **more):
    """`python -m lta.dashboard ARGUMENTS` where the libraries of `block` are not installed."""
    begin = f"import runpy, sys; sys.modules.update(dict.fromkeys({block!r})); sys.argv = {['lta.dashboard', *arguments]!r};"
    program = begin + "runpy.run_module('lta.dashboard', run_name='__main__', alter_sys=True)"
    return subprocess.run(
        [sys.executable, "-c", program], env=environment(**more), capture_output=True, text=True, timeout=120
    )


def test_a_dry_run_needs_no_library_and_names_every_key():
    ended = command("--dry-run", "project=attention", "entity=somebody", "name=first look")
    assert ended.returncode == 0, ended.stderr
    first, rest = ended.stdout.split("\n", 1)
    assert first == "would be saved: the view 'first look' of project attention, somebody"
    assert rest == outline() + "\n"
    for _, key in keys():
        assert key in rest


def test_sections_that_are_closed_at_first_are_said_to_be():
    said = {line.removesuffix(" (folded)"): not line.endswith(" (folded)") for line in outline().splitlines()}
    assert {section.name: said[section.name] for section in SECTIONS} == {s.name: s.is_open for s in SECTIONS}


def test_the_help_names_the_settings():
    ended = command("--help")
    assert ended.returncode == 0
    for word in ("project=lta", "entity=null", "name=lta", "--dry-run", "--json"):
        assert word in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--dry"], "--dry is unknown; the flags are --dry-run, --json, --help, -h"),
        (["lr=3"], "lr=3: lta.dashboard reads project=..., entity=..., name=...; see --help"),
        (["attention"], "attention: lta.dashboard reads project=..., entity=..., name=...; see --help"),
        (["project="], "project=: give a name after ="),
        (["trust=a/b"], "trust=a/b must be the full name of a class or function, like my_package.module.Class"),
        (["name=null"], "name=null: give a name after ="),
        (["project=me/lta"], "project=me/lta has a slash; give project and entity separately: entity=somebody project=lta"),
        ([], "lta.dashboard needs the library wandb-workspaces: pip install lta[dashboard]"),
        (["--json"], "lta.dashboard needs the library wandb-workspaces: pip install lta[dashboard]"),
    ],
)
def test_what_a_user_can_get_wrong_in_the_command(arguments, says):
    ended = command(*arguments, block=("wandb_workspaces",))
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"error: {says}\n")
