"""Names, deviations, statistics and verdicts, each against what they must be."""

import numpy as np
import pytest
import scipy.stats
from made_runs import config_of
from networks import composed

from lta.cli.plugins import CONF
from lta.report.deviations import NOT_KNOWN, Deviation, find_deviations, is_trained_by_authors
from lta.report.names import Names, names_of
from lta.report.published import Figure, Published, find_published, list_rows
from lta.report.runs import Run
from lta.report.statistics import T95, summarise_values
from lta.report.verdict import RULE, judge_reproduction

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))


def run_of(*overrides, coding="official"):
    return Run(None, config_of(*overrides), {"coding": coding}, [], [], {}, [])


@pytest.mark.parametrize("model", MODELS)
def test_a_network_is_called_by_its_configurations_name(model):
    assert names_of(config_of(f"model={model}", "data=cifar10")).model == model


def test_choices_are_told_from_the_classes_that_they_name():
    for compat in sorted(path.stem for path in (CONF / "compat").glob("*.yaml")):
        assert names_of(config_of("model=vgg_att3", f"compat={compat}")).compat == compat
    assert [names_of(config_of("model=vgg_att2", f"head={head}")).head for head in ("concat", "indep")] == [
        "concat",
        "indep",
    ]
    assert names_of(config_of("model=vgg_att1")).head == "single"
    for data in ("cifar10", "cifar100", "svhn", "cub200", "stl10", "digit_scenes"):
        assert names_of(config_of("model=vgg", f"data={data}")) == Names("vgg", None, None, data)
    folders = [names_of(config_of("model=vgg", "data=image_folder", f"data.root=/there/{name}")).data for name in ("a", "b")]
    assert folders == ["image_folder a", "image_folder b"]
    assert names_of(config_of("model=vgg_att3", "model.levels=[B,C]")).model == "vgg_att2"
    assert names_of(config_of("model=vgg_att3", "model.levels=[A,B]")).model == "vgg_attention"


def from_elsewhere(compat="my_attention.compat.DotProduct", model="my_attention.nets.vgg", data="my_attention.data.Shapes"):
    config = config_of("model=vgg_att2")
    config["model"] |= {"_target_": model, "compat": {"_target_": compat}}
    return config | {"data": {"_target_": data, "name": "anything"}}


def test_parts_from_elsewhere_are_called_by_what_was_chosen():
    """Also where their class is called as one of lta's."""
    chosen = {"model": "two_eyes", "compat": "cosine", "head": "concat", "data": "shapes"}
    assert names_of(from_elsewhere(), chosen) == Names("two_eyes", "cosine", "concat", "shapes")
    run = Run(None, from_elsewhere(), {}, [{"choices": chosen}, {"choices": {"model": "vgg_att3"}}], [], {}, [])
    assert run.names == Names("two_eyes", "cosine", "concat", "shapes"), "a resume chooses nothing"
    assert find_deviations(run, run.names) is not None
    assert not find_published(run.names)


def test_parts_from_elsewhere_that_nobody_named_are_called_by_their_class():
    found = Names("vgg", "DotProduct", "concat", "Shapes")
    assert names_of(from_elsewhere()) == found
    assert names_of(from_elsewhere(), {"model": "vgg_att2", "compat": "dp", "data": "cifar10"}) == found, (
        "by compat=dp compat._target_=..., lta's own is chosen and replaced"
    )


def test_of_ltas_own_networks_the_settings_count_whatever_was_chosen():
    chosen = {"model": "vgg_att3", "compat": "pc", "head": "concat", "data": "cifar10"}
    assert names_of(config_of("model=vgg_att3", "model.levels=[B,C]", "data=cifar10"), chosen).model == "vgg_att2"
    assert names_of(config_of("model=vgg_att3", "data=cifar10"), chosen) == Names("vgg_att3", "pc", "concat", "cifar10")


def test_every_deviation_is_found_with_both_values():
    run = run_of("model=vgg_att3", "data=cifar10", "recipe=fast", "model.width=0.125", coding="JPEG, quality 95")
    found = {one.setting: one for one in find_deviations(run, names_of(run.config))}
    assert found["coding"].words == "data: JPEG, quality 95"
    assert found["model.width"].words == "width 0.125 (authors: 1)"
    assert found["recipe.epochs"].words == "epochs 30 (authors: 300)"
    assert found["preprocess._target_"].words == "preprocessing Standardize (authors: YuvLcn)"
    assert found["recipe.schedule._target_"].words == "schedule WarmupCosine with warmup 0.15 (authors: Steps)"
    said = "augmentation FlipCropCutout with flip 0.5, shift 4, cutout 0 (authors: HalfFlip)"
    assert found["augment._target_"].words == said
    assert "recipe.schedule.every" not in found
    assert set(found) == {
        "coding",
        "model.width",
        "recipe.epochs",
        "preprocess._target_",
        "augment._target_",
        "data.val_size",
        "recipe.lr_batch",
        "recipe.lr",
        "recipe.dampening",
        "recipe.nesterov",
        "recipe.decay_vectors",
        "recipe.average_gradients",
        "recipe.schedule._target_",
        "model.init.scorer",
        "model.init.batchnorm",
    }


def test_what_makes_it_another_network_or_another_reading_is_found():
    run = run_of("model=vgg_att2", "data=cifar10", "recipe=author", "model.normaliser=sigmoid", "test_checkpoint=best")
    run = run._replace(results={"precision": "bf16-mixed"})
    assert [one.setting for one in find_deviations(run, names_of(run.config))] == [
        "precision",
        "model.normaliser",
        "test_checkpoint",
    ]


def test_the_authors_upprojecting_network_had_its_own_batch():
    run = run_of("model=vgg_att3_upprojecting", "data=cifar10", "recipe=author")
    assert find_deviations(run, names_of(run.config)) == []
    other = config_of("model=vgg_pan", "model.query=shared")
    assert names_of(other).model != "vgg_pan"


def test_what_the_authors_did_not_tell_is_said_to_be_unknown():
    cub = config_of("experiment=cub200_vgg_pan")
    found = find_deviations(Run(None, cub, {"coding": "official", "test_images": 5794}, [], [], {}, []), names_of(cub))
    assert [(one.setting, one.papers) for one in found] == [("preprocess", NOT_KNOWN), ("model", "CIFAR-100 weights")]
    rate = config_of("experiment=svhn_vgg_att2_pc_concat")
    assert "maybe 0.1" in find_deviations(run_of("experiment=svhn_vgg_att2_pc_concat"), names_of(rate))[0].words
    own = run_of("model=vgg_gap", "data=stl10", "recipe=author", "preprocess=standardize")
    assert "preprocess._target_" in [one.setting for one in find_deviations(own, names_of(own.config))], (
        "compared with CIFAR-10's"
    )
    assert not is_trained_by_authors("stl10")


def test_one_normaliser_for_all_levels_is_that_normaliser():
    run = run_of("model=vgg_att2", "data=cifar10", "recipe=author", "model.normaliser={B: softmax, C: softmax}")
    assert find_deviations(run, names_of(run.config)) == []
    mixed = run_of("model=vgg_att2", "data=cifar10", "recipe=author", "model.normaliser={B: sigmoid, C: softmax}")
    assert [one.setting for one in find_deviations(mixed, names_of(mixed.config))] == ["model.normaliser"]


def test_errors_on_another_number_of_images_are_not_comparable():
    run = run_of("model=vgg_att2", "data=cifar10", "recipe=author")._replace(results={"test_images": 2000})
    found = find_deviations(run, names_of(run.config))
    assert [one.words for one in found] == ["tested on 2000 images of 10,000"]
    assert judged([5.2, 5.3, 5.25], CHECKED, *found) == ("not comparable", "tested on 2000 images of 10,000")


def test_every_setting_that_is_compared_exists_somewhere():
    """A renamed setting would be compared no more."""
    from lta.report.deviations import BY_DATA, RESNET, VGG, value_of

    configs = [config_of(f"model={model}", "recipe=author") for model in ("vgg_att3", "vgg")]
    configs += [config_of("model=vgg_att3", f"data={data}", "recipe=author") for data in BY_DATA]
    configs += [config_of("model=vgg_att2", "head=indep"), config_of("model=vgg_att2", "data=cifar10", "recipe=fast")]
    configs += [config_of("model=rn_att2", "data=cifar10", "recipe=author_resnet")]
    for setting in {*VGG, *RESNET, *(setting for of in BY_DATA.values() for setting in of)}:
        assert any(value_of(config, setting)[0] for config in configs), setting


def test_summaries_are_students():
    np.testing.assert_allclose(T95, scipy.stats.t.ppf(0.975, np.arange(1, 31)), atol=6e-4)
    values = [5.0, 5.4, 5.1]
    found = summarise_values(values)
    low, high = scipy.stats.t.interval(0.95, 2, np.mean(values), scipy.stats.sem(values))
    assert found.interval == pytest.approx((low, high), abs=2e-3)
    assert found.sd == pytest.approx(np.std(values, ddof=1))
    assert found.next_run[1] - found.mean == pytest.approx((found.interval[1] - found.mean) * 2, rel=1e-6)  # sqrt(1 + 3)
    assert summarise_values([5.0])[1:] == (None, 1, None, None)


CHECKED = Published([Figure(5.23, "quoted", "a post")], [], [])


def judged(errors, figures=CHECKED, *differ):
    return judge_reproduction(summarise_values(errors), figures, differ)


def test_the_rule_of_the_verdicts():
    assert judged([5.2, 5.3, 5.25]) == ("reproduced", "one more run: 5.00 to 5.50; quoted figure 5.23")
    assert judged([4.8, 5.2, 5.6]).words == "within noise"
    assert judged([6.0, 6.1, 6.05]) == ("not reproduced", "one more run: 5.80 to 6.30; higher than the quoted figure 5.23")
    assert judged([4.0, 4.1, 4.05]) == ("not reproduced", "one more run: 3.80 to 4.30; lower than the quoted figure 5.23")
    assert judged([5.4, 30, 90])[0] == "not comparable"
    assert judged([5.2, 5.2]) == ("not comparable", "2 seeds of 3")
    assert judged([5.2]) == ("not comparable", "1 seed of 3")
    assert judged([5.2, 5.2, 5.2]).words == "not comparable"


@pytest.mark.parametrize(("seeds", "shares"), [(3, (62, 33, 5)), (5, (93, 2, 5))])
def test_how_often_the_rule_is_right_is_what_it_says(seeds, shares):
    """Figures out of the distribution of our seeds, as the page states."""
    rng = np.random.default_rng(0)
    words = []
    for *errors, figure in rng.normal(5.23, 0.1, (3000, seeds + 1)).round(2).tolist():
        words.append(judged(errors, Published([Figure(figure, "quoted", "a post")], [], [])).words)
    found = [100 * words.count(one) / len(words) for one in ("reproduced", "within noise", "not reproduced")]
    np.testing.assert_allclose(found, shares, atol=2.5)
    assert (
        "{} % reproduced, {} % within noise and {} %".format(*shares) in RULE
        or "{} %, {} % and {} %".format(*shares) in RULE
    )


def test_where_checked_figures_differ_the_weakest_verdict_counts():
    both = Published([Figure(5.23, "quoted", "a post")], [Figure(5.42, "recorded", "a script")], [])
    assert judged([5.40, 5.38, 5.41], both) == (
        "not reproduced",
        "one more run: 5.32 to 5.47; reproduced, recorded figure 5.42; not reproduced, higher than the quoted figure 5.23",
    )
    assert judged([5.2, 5.3, 5.4], both).words == "reproduced"


def test_what_can_not_be_judged():
    unchecked = Published([Figure(3.74, "recalled", "no source")], [], [])
    assert judged([3.7, 3.7, 3.8], unchecked) == ("not comparable", "no checked figure (3.74 (unchecked))")
    assert judged([3.7, 3.7, 3.8], Published([], [], [Figure(3.7, "others", "x")])).words == "not comparable"
    narrow = Deviation("model.width", 0.125, 1.0, "width 0.125 (authors: 1)")
    assert judged([5.2, 5.3, 5.25], CHECKED, narrow) == ("not comparable", "width 0.125 (authors: 1)")
    gated = Deviation("model.normaliser", "sigmoid", "softmax", "normaliser sigmoid (authors: softmax)")
    assert judged([5.2, 5.3, 5.25], CHECKED, gated).words == "not comparable"
    jpeg = Deviation("coding", "JPEG", "official", "data: JPEG")
    assert judged([5.2, 5.3, 5.25], CHECKED, jpeg).words == "not comparable"
    short = Deviation("recipe.epochs", 30, 300, "epochs 30 (authors: 300)")
    assert judged([6.0, 6.1, 6.05], CHECKED, short).words == "not comparable"
    assert judged([5.2, 5.22, 5.23], CHECKED, short).words == "reproduced"
    assert judged([6.0, 6.1, 6.05], CHECKED, Deviation("recipe.lr", 0.1, 1.0, "rate")).words == "not reproduced"


def test_what_the_authors_recorded_is_what_ours_is_judged_by():
    both = find_published(Names("vgg_att2", "pc", "concat", "cifar10"))
    assert [(one.error, one.trust) for one in both.paper] == [(5.23, "quoted")]
    assert [one.error for one in both.recorded] == [5.42]
    assert both.gates == [*both.recorded, *both.paper]
    assert [one.error for one in find_published(Names("vgg_att3", "pc", "concat", "cifar10")).gates] == [6.45]
    other = find_published(Names("vgg_att2", "dp", "concat", "cifar10"))
    assert [(one.error, other.gates) for one in other.others] == [(5.21, [])]
    assert str(find_published(Names("vgg_pan", None, None, "cifar10")).paper[0]) == "6.29 (unchecked)"


def test_every_published_row_is_one_that_this_project_can_train():
    for names in list_rows():
        overrides = [f"model={names.model}", f"data={names.data}"]
        overrides += [f"compat={names.compat}"] if names.compat else []
        overrides += [f"head={names.head}"] if names.head not in (None, "single") else []
        found = names_of(dict(composed(*overrides)))
        assert (found.model, found.data) == (names.model, names.data)
        if names.compat:
            assert found == names
