"""Figures in which each class counts as much as any other."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from lta.measures.confusion import measure_balanced
from lta.measures.intervals import wilson


def test_by_hand():
    labels, predicted = np.array([0, 0, 0, 0, 1, 1, 2]), np.array([0, 0, 0, 1, 1, 0, 0])
    found = measure_balanced(labels, predicted, 4)
    assert found.error["value"] == pytest.approx((25 + 50 + 100) / 3), "the class without images has no part"
    assert found.f1["value"] == pytest.approx((6 / 9 + 2 / 4 + 0) / 3)
    assert found.error["n"] == 7


def test_as_scikit_learn_has_them():
    rng = np.random.default_rng(0)
    labels = rng.choice(5, 500, p=[0.6, 0.2, 0.1, 0.05, 0.05])
    predicted = np.where(rng.random(500) < 0.7, labels, rng.integers(0, 5, 500))
    found = measure_balanced(labels, predicted, 5)
    assert found.error["value"] == pytest.approx(100 * (1 - balanced_accuracy_score(labels, predicted)))
    assert found.f1["value"] == pytest.approx(f1_score(labels, predicted, average="macro"))
    for figure in found:
        low, high = figure["interval"]
        assert low < figure["value"] < high
    rare = [measure_balanced(labels, predicted, 5, groups).error["interval"] for groups in (None, np.arange(500) // 10)]
    assert rare[0] != rare[1]


def test_its_interval_by_hand():
    labels = np.repeat([0, 1], [6, 10])
    only = measure_balanced(labels[:6], np.ones(6, int), 2).error
    assert (only["value"], only["interval"]) == (100, pytest.approx([100 * end for end in wilson(6, 6)])), (
        "of one class its own"
    )
    none_wrong = measure_balanced(labels, labels, 2).error
    above = [100 * wilson(0, n)[1] for n in (6, 10)]
    assert (none_wrong["value"], none_wrong["n"]) == (0, 16)
    assert none_wrong["interval"] == pytest.approx([0, np.hypot(*above) / 2])
    one_wrong = measure_balanced(labels, np.repeat([0, 1, 0], [6, 8, 2]), 2).error
    low, high = (100 * end for end in wilson(2, 10))
    assert one_wrong["value"] == pytest.approx(10)
    assert one_wrong["interval"] == pytest.approx([10 - (20 - low) / 2, 10 + np.hypot(above[0], high - 20) / 2])


def test_the_interval_holds_the_true_value_about_as_often_as_it_says():
    """Four classes of 30, 20, 10 and 5 images, errors of 2 to 30 %; 1,000 draws."""
    rng, counts, errors = np.random.default_rng(0), np.array([30, 20, 10, 5]), np.array([0.02, 0.05, 0.1, 0.3])
    labels = np.repeat(np.arange(4), counts)
    held = 0
    for _ in range(1000):
        wrong = rng.random(len(labels)) < errors[labels]
        low, high = measure_balanced(labels, (labels + wrong) % 4, 4).error["interval"]
        held += low <= 100 * errors.mean() <= high
    assert 930 <= held <= 985
