"""Figures in which each class counts as much as any other."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

from lta.measures.confusion import measure_balanced


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
    assert measure_balanced(labels, labels, 5).error == {"value": 0, "interval": [0, 0], "n": 500}
