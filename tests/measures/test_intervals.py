"""Intervals against published values, and how often they hold what they should."""

import numpy as np
import pytest

from lta.measures import intervals
from lta.measures.intervals import difference, mean, share, wilson


def test_wilson_against_known_values():
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    for hits, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(hits, n) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    for n in range(1, 500):
        assert wilson(0, n)[0] == 0.0
        assert wilson(n, n)[1] == 1.0
    low, high = wilson(3, 4)
    assert share(np.array([True, False, True, True])) == {"value": 75, "interval": [100 * low, 100 * high], "n": 4}
    assert share(np.zeros(0, bool)) == {"value": None, "interval": [0, 100], "n": 0}


def test_the_bootstrap_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        low, high = mean(rng.normal(1.0, 2.0, 60), seed=trial)["interval"]
        held += low <= 1 <= high
    assert 0.88 <= held / 200 <= 0.99


def test_images_of_one_group_are_no_evidence_of_their_own():
    rng = np.random.default_rng(0)
    values = rng.normal(size=50)
    alone = mean(values)
    repeated = mean(values.repeat(20), groups=np.arange(50).repeat(20))
    taken_apart = mean(values.repeat(20))
    width = lambda figure: figure["interval"][1] - figure["interval"][0]  # noqa: E731
    assert repeated["value"] == pytest.approx(alone["value"])
    assert width(repeated) == pytest.approx(width(alone), rel=0.15)
    assert width(taken_apart) < width(alone) / 3


def test_a_share_of_images_that_come_in_groups():
    hit = np.random.default_rng(0).random(50) < 0.3
    alone, apart = share(hit), share(hit.repeat(20))
    together = share(hit.repeat(20), np.arange(50).repeat(20))
    assert together["value"] == alone["value"] == apart["value"]
    assert together["n"] == 1000
    assert together["interval"] == pytest.approx(alone["interval"], abs=0.2), "50 images are 50, however often shown"
    assert share(hit, np.arange(50)) == alone
    none = np.zeros(1000, bool)
    assert share(none, np.arange(50).repeat(20))["interval"] == share(none[:50])["interval"], "nothing is known of them"
    unlike = np.arange(1000) % 2 == 0  # every group has as many hits: they vary less than independent images
    assert share(unlike, np.arange(50).repeat(20)) == share(unlike)


@pytest.mark.parametrize("alike", [0.0, 0.3, 0.8])
def test_the_interval_of_a_share_holds_the_truth_whether_or_not_groups_are_alike(alike):
    rng = np.random.default_rng(0)
    groups, held = np.arange(80).repeat(5), 0
    for _ in range(300):
        of_group = (rng.random(80) < 0.2)[groups]
        hit = np.where(rng.random(400) < alike**0.5, of_group, rng.random(400) < 0.2)
        low, high = share(hit, groups)["interval"]
        held += low <= 20 <= high
    assert 0.91 <= held / 300 <= 0.985


@pytest.mark.parametrize("groups", [None, np.arange(500) // 5])
def test_draws_that_are_not_kept_are_the_same(groups, monkeypatch):
    values = np.random.default_rng(0).normal(size=500)
    kept = mean(values, groups)
    monkeypatch.setattr(intervals, "KEPT", 0)
    assert mean(values, groups) == kept


def test_what_has_no_value_is_left_out():
    found = mean(np.array([1.0, np.nan, 3.0]))
    assert (found["value"], found["n"]) == (2, 2)
    assert mean(np.array([np.nan])) == {"value": None, "interval": [None, None], "n": 0}


def test_pairs_are_compared_as_pairs():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 10, 100)
    found = difference(hard + 1 + rng.normal(0, 0.1, 100), hard)
    assert found["value"] == pytest.approx(1, abs=0.05)
    assert found["interval"][0] > 0.9, "what both have in common must cancel"
