"""Seeds are one line; what else differs tells lines apart."""

import shutil

import pytest
from made_runs import figure, make_run

from lta.report.answers import build_tables
from lta.report.groups import find_differences, find_most_common, group_runs, select_best_recipes
from lta.report.runs import read_runs


def groups_of(place):
    runs, _ = read_runs([place])
    return group_runs(runs)


def test_seeds_are_one_group_whatever_machine_they_ran_on(tmp_path):
    for seed, error in enumerate((5.0, 5.5, 6.0)):
        elsewhere = ("trainer.devices=2", f"data.root=/there/{seed}", "data.eval_batch_size=100") if seed else ()
        make_run(tmp_path / str(seed), "data=cifar10", "model=vgg_att2", *elsewhere, seed=seed, error=error)
    (group,), left_out = groups_of(tmp_path)
    assert not left_out
    assert (group.label, group.summary.n, group.summary.mean) == ("vgg_att2 pc concat", 3, 5.5)
    assert [run.seed for run in group.runs] == [0, 1, 2]
    assert group.val_error == 5.5


def test_runs_that_were_told_the_size_of_pictures_and_runs_that_were_not_are_one_group(tmp_path):
    """What a network of lta takes if nothing is said was once said."""
    own = ("data=image_folder", "data.root=/pictures", "model=vgg_att2")
    for seed, size in enumerate(("32", "null", "64")):
        make_run(tmp_path / str(seed), *own, f"data.image_size={size}", seed=seed)
    groups, _ = groups_of(tmp_path)
    assert sorted([run.seed for run in group.runs] for group in groups) == [[0, 1], [2]]


def test_of_one_configuration_and_seed_the_newest_counts(tmp_path):
    for number, error in ((1, 7.0), (2, 5.0)):
        run = make_run(tmp_path / str(number), "data=cifar10", error=error)
        (run / "run.json").write_text(f'{{"starts": [{{"time": "2026-11-2{number}"}}]}}')
    (group,), left_out = groups_of(tmp_path)
    assert group.summary.mean == 5.0
    assert left_out[0].path == tmp_path / "1"
    assert left_out[0].reason == f"the same configuration and seed (0) as the newer {tmp_path / '2'}"


def test_labels_name_what_is_unlike_most(tmp_path):
    for number, more in enumerate(([], ["recipe.lr=0.05"], ["recipe.lr=0.05", "model.width=0.5"])):
        make_run(tmp_path / str(number), "data=cifar10", "model=vgg_att2", *more)
    make_run(tmp_path / "other", "data=cifar10", "model=vgg_att3")
    make_run(tmp_path / "coding", "data=cifar10", "model=vgg_att3", coding="JPEG")
    groups, _ = groups_of(tmp_path)
    assert [group.label for group in groups] == [
        "vgg_att2 pc concat",
        "vgg_att2 pc concat, lr=0.1",
        "vgg_att2 pc concat, width=0.5",
        "vgg_att3 pc concat, coding=JPEG",
        "vgg_att3 pc concat, coding=official",
    ]
    assert len({group.label for group in groups}) == 5
    table = find_differences(groups)
    assert table["model.width"] == [0.5 if "width" in group.label else 1.0 for group in groups]
    assert find_most_common(table["model.width"]) == 1.0
    assert set(table) == {"model.width", "model.levels", "recipe.lr", "coding"}


def test_another_loss_is_another_group_and_smoothing_is_said_once(tmp_path):
    for number, more in enumerate(([], [], ["loss._target_=my_package.Focal"], ["recipe.label_smoothing=0.1"])):
        make_run(tmp_path / str(number), "data=cifar10", "model=vgg_att2", *more, seed=number)
    groups, _ = groups_of(tmp_path)
    assert [group.label for group in groups] == [
        "vgg_att2 pc concat",
        "vgg_att2 pc concat, label_smoothing=0.1",
        "vgg_att2 pc concat, loss=my_package.Focal",
    ]
    assert set(find_differences(groups)) == {"loss._target_", "recipe.label_smoothing"}
    assert [len(best.runs) for best in select_best_recipes(groups[1:])] == [1], "trained in two ways"


def test_where_no_value_is_the_usual_one_each_is_named(tmp_path):
    make_run(tmp_path / "a", "data=cifar10", "recipe.lr=0.1")
    make_run(tmp_path / "b", "data=cifar10", "recipe.lr=0.2")
    make_run(tmp_path / "c", "data=cifar10", "model=vgg_att2", "preprocess=standardize")
    make_run(tmp_path / "d", "data=cifar10", "model=vgg_att2", "preprocess=yuv_lcn")
    labels = [group.label for group in groups_of(tmp_path)[0]]
    assert [label.partition(", ")[2] for label in labels if "lr=" in label] == ["lr=0.1", "lr=0.2"]
    assert any("preprocess=Standardize" in label for label in labels), labels


def test_a_switch_is_named_where_it_is_on_and_where_most_have_it_on_where_it_is_off(tmp_path):
    make_run(tmp_path / "whole", "data=cifar10")
    make_run(tmp_path / "pruned", "data=cifar10", "model.prune_inert_query=true")
    assert [group.label for group in groups_of(tmp_path)[0]] == [
        "vgg_att3 pc concat",
        "vgg_att3 pc concat, prune_inert_query",
    ]
    make_run(tmp_path / "wide", "data=cifar10", "model.prune_inert_query=true", "model.width=2")
    make_run(tmp_path / "wider", "data=cifar10", "model.prune_inert_query=true", "model.width=3")
    assert "vgg_att3 pc concat, prune_inert_query=False" in [group.label for group in groups_of(tmp_path)[0]]


def test_own_folders_of_one_name_are_two_data_sets_and_unseeded_runs_no_repeats(tmp_path):
    for number, root in enumerate(("/a/birds", "/b/birds", "/b/birds")):
        make_run(tmp_path / str(number), "data=image_folder", f"data.root={root}", seed=None)
    groups, left_out = groups_of(tmp_path)
    assert [(group.settings["data.root"], group.summary.n) for group in groups] == [("/a/birds", 1), ("/b/birds", 2)]
    assert left_out == []


def test_the_best_recipe_is_that_of_least_validation_error(tmp_path):
    make_run(tmp_path / "a", "data=cifar10", "recipe.lr=0.1", error=5.0)
    other = make_run(tmp_path / "b", "data=cifar10", "recipe.lr=0.2", error=4.0)
    make_run(tmp_path / "wide", "data=cifar10", "recipe.lr=0.2", "model.width=2", error=3.0)
    make_run(tmp_path / "shorter", "data=cifar10", "recipe.lr=0.2", "data.val_size=100", error=2.0)
    groups, _ = groups_of(tmp_path)
    (found,) = select_best_recipes(groups)
    assert (found.settings["recipe.lr"], found.val_error) == (0.2, 4.0), "other networks and validation sets are no rivals"
    (only,) = (group for group in groups if group.settings["model.width"] == 2)
    assert select_best_recipes([only]) == [], "one recipe is not the best of several"
    more = make_run(tmp_path / "again", "data=cifar10", "recipe.lr=0.2", seed=1, error=4.0)
    assert select_best_recipes(groups_of(tmp_path)[0]) == [], "one seed is not compared with two"
    shutil.rmtree(more)
    (other / "results.json").write_text((other / "results.json").read_text().replace("val/error", "val/accuracy"))
    assert select_best_recipes(groups_of(tmp_path)[0]) == [], "without validation error the test set would choose"


def test_answers_stand_together_where_the_question_was_the_same(tmp_path):
    for seed, iou in enumerate((0.30, 0.34)):
        figures = {"maps": {"A": {"iou": figure(iou), "kind": "attention"}}, "verdict": "kept out"}
        words = {
            "levels": {"A": {"verdict": {"words": ("inert", "acts")[seed]}, "replaced_by": {"zero": {"tv": figure(0)}}}}
        }
        make_run(tmp_path / str(seed), "data=cifar10", seed=seed, answers={"localisation": figures, "query": words})
    make_run(
        tmp_path / "gap",
        "data=cifar10",
        "model=vgg_gap",
        answers={"mine": {"score": figure(3), "deep": {"er": {"x": figure(1)}}}},
    )
    found = {table.evaluator: table for table in build_tables(groups_of(tmp_path)[0])}
    assert set(found) == {"localisation", "query", "mine"}
    (cell,) = found["localisation"].rows["maps.A.iou"]
    assert (cell.summary.mean, cell.summary.n, [run.seed for run in cell.runs]) == (pytest.approx(0.32), 2, [0, 1])
    assert list(found["localisation"].rows) == ["maps.A.iou"]
    assert found["query"].rows["levels.A.verdict.words"][0].text == "inert (1 of 2); acts (1 of 2)"
    assert list(found["query"].rows) == ["levels.A.replaced_by.zero.tv", "levels.A.verdict.words"]
    assert list(found["mine"].rows) == ["score"]


def test_a_figure_whose_name_has_a_dot_is_not_left_out(tmp_path):
    eps = {"attacks": {"pgd": {"0.5": {"error": figure(40)}, "1": {"error": figure(60)}}}}
    make_run(tmp_path / "run", "data=cifar10", answers={"robustness": eps})
    (table,) = build_tables(groups_of(tmp_path)[0])
    assert [cell.summary.mean for (cell,) in table.rows.values()] == [40, 60]


def test_other_questions_of_one_name_are_other_tables(tmp_path):
    for seed in (0, 1):
        run = make_run(tmp_path / str(seed), "data=cifar10", seed=seed, answers={"classification": {"error": figure(5)}})
    answer = run / "evaluations" / "classification.json"
    answer.write_text(answer.read_text().replace('"images": 9', '"images": 8'))
    assert [len(table.rows["error"][0].runs) for table in build_tables(groups_of(tmp_path)[0])] == [1, 1]


def test_runs_of_another_precision_or_trainer_are_another_row(tmp_path):
    for number, (more, found) in enumerate(
        (([], {}), ([], {"precision": "bf16-mixed"}), (["+trainer.limit_train_batches=0.1"], {}))
    ):
        make_run(tmp_path / str(number), "data=cifar10", *more, seed=number, **found)
    groups, _ = groups_of(tmp_path)
    assert [len(group.runs) for group in groups] == [1, 1, 1]
    assert any("limit_train_batches=0.1" in group.label for group in groups)


def test_one_network_on_two_data_sets_needs_no_numbers(tmp_path):
    for data in ("cifar10", "cifar100"):
        make_run(tmp_path / data, f"data={data}", "model=vgg_att2")
    assert [group.label for group in groups_of(tmp_path)[0]] == ["vgg_att2 pc concat"] * 2
