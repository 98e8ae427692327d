"""The study of attention on frozen features: what is run, how rates are chosen, and what its tables say."""

import json
import re
import sys
from pathlib import Path

import pytest
from commands import lta_run

HERE = Path(__file__).parents[1] / "experiments" / "2026-12-attention-on-frozen-features"


@pytest.fixture(scope="module")
def study():
    """Its modules `plan` and `tables`."""
    pytest.importorskip("scipy")
    sys.path.insert(0, str(HERE))
    try:
        import plan
        import tables
    finally:
        sys.path.remove(str(HERE))
    return plan, tables


def test_every_run_has_a_name_of_its_own_and_each_method_all_seeds(study):
    plan, _ = study
    names = []
    for data in plan.DATA:
        tried = plan.list_rate_runs(data)
        rates = plan.choose_rates(data, {run.name: run.rate for run in tried})
        assert set(rates.values()) == {5e-4, 2e-3}, "the lowest error"
        assert plan.choose_rates(data, dict.fromkeys([run.name for run in tried], 9.0)) == rates, (
            "of equal ones the lowest rate"
        )
        runs = [run for seeds in plan.SEEDS for run in plan.list_runs(data, rates, seeds)]
        assert len(runs) == 46 * 10
        assert plan.RATE_SEED not in {run.seed for run in runs}
        names += [run.name for run in (*tried, *runs)]
    assert len(names) == len(set(names))


def test_levels_without_the_last_features_have_rates_of_their_own(study):
    plan, _ = study
    found = {run.name: 10.0 for run in plan.list_rate_runs("cifar10")}
    found["rate-cifar10-pc-B-0.032-seed100"] = found["rate-cifar10-pc-ABD-0.002-seed100"] = 9.0
    rates = plan.choose_rates("cifar10", found)
    chosen = {run.levels: run.rate for run in plan.list_runs("cifar10", rates, [0]) if run.method == "pc"}
    assert chosen == {"A": 0.032, "B": 0.032, "C": 0.032, "D": 0.002, "BD": 0.002, "ABD": 0.002, "ABCD": 0.002}


@pytest.mark.parametrize(("data", "method", "levels"), [("cifar100", "gap", "C"), ("clothing", "dp", "ABD")])
def test_its_settings_are_settings(study, capsys, data, method, levels):
    plan, _ = study
    settings = plan.Run(data, method, levels, 5e-4, 3).list_settings({"clothing": "there"})
    ended = lta_run(capsys, [*settings, "--cfg", "job"])
    assert ended.status == 0, ended.err
    for line in (
        "lr: 0.0005",
        "seed: 3",
        "lr_batch: 0",
        "cache: true",
        "epochs: 24" if data == "clothing" else "train_size: 5000",
    ):
        assert line in ended.out


def test_differences_are_taken_seed_by_seed(study):
    _, tables = study
    rows = [
        {"data": "cifar10", "method": method, "levels": "B", "seed": seed, "test_error": error}
        for method, errors in (("pc", {0: 10.0, 1: 13.0, 2: 12.0}), ("uniform", {2: 13.0, 0: 12.0, 1: 14.0, 3: 99.0}))
        for seed, error in errors.items()
    ]
    differences = tables.Results(rows, "cifar10").subtract("pc", "B", "uniform")
    assert differences == [-2.0, -1.0, -1.0]
    # Mean -4/3, standard deviation 0.577, t(2) = 4.303: half a width of 1.434.
    assert tables.estimate(differences) == "-1.33 (-2.77 to +0.10)"
    assert tables.decide(tables.estimate(differences)) == "-1.33 (-2.77 to +0.10)"
    assert tables.decide("-1.33 (-2.77 to -0.10)") == "**-1.33 (-2.77 to -0.10)**"
    # By t(2) at 1 - 0.025 / 6, which is 10.886: 3.629.
    assert tables.estimate(differences, 6) == "-1.33 (-4.96 to +2.30)"
    assert tables.estimate([1.0]) == "+1.00 (one seed)"


def test_the_page_says_what_the_results_say(study):
    _, tables = study
    page = (HERE / "README.md").read_text(encoding="utf-8")
    found = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    assert tables.write_page(page, found) == page
    text, of_tables = page.split("<!-- end of state -->")[1].split("## The plan")[0], page.split("<!-- tables -->")[1]
    figures = set(re.findall(r"[0-9]+[.][0-9]+", text))
    assert figures
    assert not figures - set(re.findall(r"[0-9]+[.][0-9]+", of_tables))
