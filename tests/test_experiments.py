"""Every experiment of conf/experiment/: it composes, and is the row it says it is."""

import re

import pytest
import yaml
from experiment_files import FILES, LADDER, ROW_OF, ROWS, SMALL, SOURCE, composed, experiment, header, make_experiments
from omegaconf import OmegaConf

from lta.instantiate import plain
from lta.report import published
from lta.report.deviations import NOT_KNOWN, find_deviations
from lta.report.names import names_of
from lta.report.runs import Run

PUBLISHED = yaml.safe_load(published.FILE.read_text(encoding="utf-8"))
FIGURES = PUBLISHED["figures"]
KEY = make_experiments.KEY
table_of = make_experiments.table_of
COMPACT = make_experiments.COMPACT


def figures_of(name):
    return make_experiments.find_figures(name, ROW_OF, FIGURES)


def leaves(node, prefix=""):
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{prefix}{key}.")
    else:
        yield prefix[:-1], node


def differing(one, other):
    one, other = (dict(leaves(plain(cfg))) for cfg in (one, other))
    return {key for key in {*one, *other} if one.get(key, "absent") != other.get(key, "absent")}


def test_generating_the_files_again_changes_nothing():
    """experiments/rows.yaml and the published figures are the one place where a row stands."""
    for name, text in make_experiments.make_files().items():
        assert FILES[name].read_text(encoding="utf-8") == text, "python experiments/make_experiments.py writes it anew"
    assert set(FILES) - set(ROW_OF) == {"quickstart", "search_rate"}, "those that are written by hand"


def test_the_tables_are_complete():
    assert {table_of(name) for name in ROW_OF} == set(SOURCE["tables"])
    held = {figure["data"] for figure in FIGURES}
    assert held == {"cifar10", "cifar100", "svhn", "cub200"}
    of_rows = [figure for name in ROWS if table_of(name) in held for figure in figures_of(name)]
    assert [figure for figure in FIGURES if figure not in of_rows] == [], "every figure has its row"


@pytest.mark.parametrize("name", ROWS)
def test_the_header_says_what_the_file_is(name):
    said = header(name)
    assert list(said) == ["Note", "Row", "Published", "Command", "Time"], "in this order, the notes last"
    if table_of(name) == "ladder":
        assert said["Row"].startswith(f"step {int(name[7:9])} of {len(LADDER) - 1} from recipe=author to recipe=fast. ")
        before = LADDER[LADDER.index(name) - 1] if "same_as" not in ROW_OF[name] else ROW_OF[name]["same_as"]
        assert before in said["Row"]
    elif table_of(name) == "control":
        assert ROW_OF[name].get("same_as", ROW_OF[name].get("compare_with")) in said["Row"]
    assert re.match(r"[\d.]+ (hours|minutes|seconds) on one GPU, an estimate: .*; no GPU was measured$", said["Time"])


# Tests of one name follow each other, by the scope: so a process that has composed it has it for the next.
@pytest.mark.parametrize("name", ROWS, scope="module")
def test_it_composes_to_the_row_it_stands_for(name):
    cfg, chosen = experiment(name)
    row = ROW_OF[name]
    resolved = plain(cfg)
    assert resolved["recipe"]["epochs"] > 0
    if table_of(name) in COMPACT:
        assert {part: row[part] for part in KEY if part in row} == {part: chosen[part] for part in KEY if part in row}
        assert chosen.recipe == row["recipe"] == ("air" if table_of(name) == "air" else "air_muon")
        suffix = row["model"].removeprefix("air").strip("_") or "trunk"
        network = [suffix] if table_of(name) == "air" or "compat" not in row else []
        of_data = [] if table_of(name) == "air" else [row["data"]]
        assert name == "_".join([table_of(name), *of_data, *network, *([row["compat"]] if "compat" in row else [])])
    elif table_of(name) not in ("ladder", "control"):
        one_choice = {"compat": chosen.get("compat"), "head": chosen.get("head")}
        if row.get("head") == "single":
            assert len(cfg.model.levels) == 1
            one_choice["head"] = "single"
        assert {part: row[part] for part in KEY if part in row} == {
            part: one_choice.get(part) or chosen[part] for part in KEY if part in row
        }
        for part, usual in (("compat", "pc"), ("head", "concat")):
            assert part in row or chosen.get(part) in (None, usual)
        assert row["data"] == table_of(name)
        assert name == "_".join(
            [row["data"], row["model"], *name.removeprefix(f"{row['data']}_{row['model']}").split("_")[1:]]
        )
        suffix = [row[part] for part in ("compat", "head") if part in row and row[part] != "single"]
        assert name.endswith("_".join(suffix) if row["model"] != "vgg_att2_two_globals" else "two_globals")
        assert chosen.recipe == ("author_resnet" if row["model"].startswith("rn") else "author")
        assert cfg.model.get("pools", "cifar") == ("cub" if row["data"] == "cub200" else "cifar")
    elif "same_as" in row:
        assert differing(cfg, experiment(row["same_as"])[0]) == set()


@pytest.mark.parametrize("name", ROWS, scope="module")
def test_the_report_knows_it_and_finds_what_differs_from_the_authors(name):
    cfg, _ = experiment(name)
    run = Run(None, plain(cfg), {"coding": "official"}, [], [], {}, [])
    names = names_of(run.config)
    found = find_deviations(run, names)
    if table_of(name) in COMPACT:
        assert found[0].words == "precision 32-true (airbench94: 16)"
        if table_of(name) == "air":
            assert [one.words for one in found[1:]] == ["images kept for validation 5000 (airbench94: 0)"]
        kept = "images kept for validation 5000 (airbench94: 0)" in [one.words for one in found]
        assert kept == (table_of(name) != "headline"), "which is trained on all pictures"
    elif table_of(name) in ("ladder", "control"):
        assert (found == []) == (name in ("ladder_00_author", "control_late", *AS_TRAINED)), found
    else:
        begun = [one.words for one in found if one.papers != NOT_KNOWN]
        assert begun == ["starts from random weights (authors: from CIFAR-100 weights)"] * (name in BEGUN_FROM_CIFAR100)
        assert (found == []) == (name not in (*BEGUN_FROM_CIFAR100, *PARTLY_KNOWN)), found
        theirs = published.find_published(names)
        assert [(one.error, one.trust) for one in (*theirs.recorded, *theirs.paper)] == sorted(
            ((figure["error"], figure["trust"]) for figure in figures_of(name)), key=lambda pair: pair[1] != "recorded"
        )


BEGUN_FROM_CIFAR100 = ("cub200_vgg_pan", "cub200_vgg_att2_dp_concat")
PARTLY_KNOWN = [
    name
    for name in ROWS
    if name.startswith(("cub200_", "svhn_vgg_att3_pc", "svhn_vgg_att2_pc"))
    or name.endswith("_gap")
    or name == "svhn_vgg"
    or "_att3_dp_" in name
]
"""Rows of which something of the authors' training is not known; their headers say what."""

AS_TRAINED = ("control_additive", "control_frozen", "control_scaled_dp", "control_uniform")
"""Networks of our own, in the authors' training."""

SPECIAL = [  # author_spec sections 5 to 8
    ("cifar10_vgg_att2_pc_concat", {"recipe.lr": 1.0, "recipe.epochs": 300, "data.batch_size": 128, "schedule.every": 25}),
    ("svhn_vgg_att2_pc_concat", {"recipe.lr": 0.1, "recipe.epochs": 300, "data.batch_size": 128}),
    ("cub200_vgg", {"recipe.lr": 0.1, "recipe.epochs": 320, "data.batch_size": 128, "data.image_size": 80}),
    (
        "cub200_vgg_pan",
        {
            "data.batch_size": 32,
            "schedule.changes": [[30, 2], [60, 2], *([n, 0.5] for n in range(90, 301, 30))],
        },
    ),
    ("cifar100_rn164", {"recipe.lr": 0.1, "recipe.epochs": 200, "data.batch_size": 64, "recipe.nesterov": True}),
]


@pytest.mark.parametrize(("name", "settings"), SPECIAL)
def test_the_authors_settings_by_data_set(name, settings):
    cfg, _ = experiment(name)
    found = {key: OmegaConf.select(cfg, key) for key in settings}
    assert OmegaConf.to_container(OmegaConf.create(found)) == settings


PREPROCESS = {"cifar10": "YuvLcn", "cifar100": "GcnZca", "svhn": "YuvLcn", "cub200": "Standardize"}
WHITENED = ("vgg", "vgg_att1", "rn164", "rn_att1", "rn_att2")


OF_THE_AUTHORS = [name for name in ROWS if name not in LADDER and table_of(name) not in COMPACT]


@pytest.mark.parametrize("name", OF_THE_AUTHORS, scope="module")
def test_which_files_the_authors_trained_on(name):
    cfg, chosen = experiment(name)
    expected = PREPROCESS[chosen.data]
    if chosen.data == "cifar10" and chosen.model in WHITENED:
        expected = "GcnZca"
    if name == "svhn_vgg":
        expected = "Standardize"
    assert cfg.preprocess._target_.endswith(expected)


RUNGS = [
    set(),
    {"recipe.lr", "recipe.lr_batch", "recipe.dampening"},
    {"recipe.nesterov"},
    {"recipe.average_gradients"},
    {"recipe.decay_vectors"},
    {"model.init.scorer"},
    {"model.init.batchnorm"},
    {"preprocess"},
    {"augment"},
    {"data.val_size", "test_each_epoch"},
    {"schedule", "recipe.schedule"},
    {"recipe.epochs", "author"},
]


def test_the_ladder_goes_from_one_recipe_to_the_other_a_quirk_at_a_time():
    chosen = ("data=cifar10", "model=vgg_att3", "compat=pc", "head=concat")
    assert differing(experiment(LADDER[0])[0], composed(*chosen, "recipe=author")[0]) == set()
    assert differing(experiment(LADDER[-1])[0], composed(*chosen, "recipe=fast")[0]) == set()
    assert [name[7:9] for name in LADDER] == [f"{number:02}" for number in range(len(RUNGS))]
    for before, after, changed in zip(LADDER, LADDER[1:], RUNGS[1:], strict=False):
        found = differing(experiment(before)[0], experiment(after)[0])
        assert found, after
        for key in found:
            assert any(key == part or key.startswith(f"{part}.") for part in changed), f"{after}: {key}"


CONTROLS = {
    "late": {"model", "compat", "head"},
    "uniform": {"compat", "model.compat"},
    "frozen": {"compat", "model.compat"},
    "additive": {"compat", "model.compat"},
    "scaled_dp": {"compat", "model.compat"},
    "pruned": {"model.prune_inert_query"},
}


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_differs_in_what_it_controls_alone(control):
    name = f"control_{control}"
    found = differing(experiment(name)[0], experiment(ROW_OF[name]["compare_with"])[0])
    assert found
    assert all(any(key == part or key.startswith(f"{part}.") for part in CONTROLS[control]) for key in found)


@pytest.mark.parametrize("name", SMALL)
def test_a_row_of_the_small_study_is_the_network_of_its_name_within_the_same_budget(name):
    cfg, chosen = experiment(name)
    assert (chosen.data, chosen.recipe) == ("cifar10", "fast")
    assert (chosen.model, chosen.get("compat")) == (ROW_OF[name]["model"], ROW_OF[name].get("compat"))
    assert cfg.model.get("prune_inert_query", False) == (name == "small_vgg_att3_pruned")
    baseline = plain(experiment("small_vgg")[0])
    for part in ("data", "preprocess", "augment", "recipe", "trainer", "seed", "test_checkpoint", "test_each_epoch"):
        assert plain(cfg)[part] == baseline[part]
    for setting in set(baseline["model"]) - {"_target_"}:
        init = {"scorer": "zero"} if setting == "init" and "compat" in ROW_OF[name] else {}
        assert cfg.model[setting] == (baseline["model"][setting] | init if init else baseline["model"][setting])
    said = header(name)
    assert list(said) == ["Note", "Row", "Command"]


def test_a_figure_written_down_from_memory_is_called_unchecked():
    recalled = [figure for figure in FIGURES if figure["trust"] == "recalled"]
    assert len(recalled) == 7
    rows = [name for name in ROWS if any(figure in recalled for figure in figures_of(name))]
    assert len({name for name in rows if "same_as" not in ROW_OF[name]}) == 7
    assert all("% (unchecked)" in header(name)["Published"] for name in rows)
    assert header("cifar10_vgg_att3_dp_concat")["Published"] == make_experiments.NONE_KNOWN
    assert header("cifar10_vgg_att2_pc_concat")["Published"].startswith(
        "5.42 % (recorded: VGGNet/run_expt_cifar10.sh); 5.23 % (quo"
    )
