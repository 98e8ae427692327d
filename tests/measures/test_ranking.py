"""AUROC and average precision as torchmetrics and scikit-learn have them, with intervals that hold."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torchmetrics.functional.classification import multiclass_auroc, multiclass_average_precision

from lta.measures.ranking import rank_classes


def made(n=400, classes=4, seed=0, digits=None):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    scores = rng.random((n, classes))
    scores[np.arange(n), labels] += 0.5
    scores /= scores.sum(1, keepdims=True)
    return (scores if digits is None else scores.round(digits)).astype(np.float32), labels


@pytest.mark.parametrize("digits", [None, 1])
def test_the_values_are_those_of_others_also_where_scores_are_equal(digits):
    scores, labels = made(digits=digits)
    by_class, macro = rank_classes(scores, labels)
    for k, ranking in enumerate(by_class):
        assert ranking.auroc["value"] == pytest.approx(roc_auc_score(labels == k, scores[:, k]))
        assert ranking.average_precision["value"] == pytest.approx(average_precision_score(labels == k, scores[:, k]))
    if digits is None:
        given = torch.from_numpy(scores), torch.from_numpy(labels), 4
        assert macro.auroc["value"] == pytest.approx(multiclass_auroc(*given).item(), abs=1e-5)
        assert macro.average_precision["value"] == pytest.approx(multiclass_average_precision(*given).item(), abs=1e-5)
    assert macro.auroc["n"] == 400


def test_a_class_that_is_not_there_has_no_value_and_no_part_in_the_mean():
    scores, labels = made(classes=3)
    labels[labels == 1] = 0
    by_class, macro = rank_classes(scores, labels)
    assert by_class[1].auroc == by_class[1].average_precision == {"value": None, "interval": [None, None], "n": 400}
    assert macro.auroc["value"] == pytest.approx((by_class[0].auroc["value"] + by_class[2].auroc["value"]) / 2)
    only, macro = rank_classes(scores[:, :1], np.zeros(400, int))
    assert only[0].auroc["value"] is macro.auroc["value"] is None


def test_intervals_hold_what_would_be_found_again():
    """Of 40 samples, about 38 hold the value of a sample a hundred times as large."""
    truth = rank_classes(*made(20_000, 2, seed=1000))[1]
    held = [0, 0]
    for seed in range(40):
        found = rank_classes(*made(200, 2, seed))[1]
        for which in (0, 1):
            low, high = found[which]["interval"]
            held[which] += low <= truth[which]["value"] <= high
    assert min(held) >= 33, held


def test_groups_are_drawn_together():
    scores, labels = made(100, 2)
    alone = rank_classes(scores, labels)[1].auroc
    copies = rank_classes(scores.repeat(9, 0), labels.repeat(9), np.arange(100).repeat(9))[1].auroc
    apart = rank_classes(scores.repeat(9, 0), labels.repeat(9))[1].auroc

    def width(figure):
        return figure["interval"][1] - figure["interval"][0]

    assert copies["value"] == pytest.approx(alone["value"])
    assert width(copies) == pytest.approx(width(alone), rel=0.15)
    assert width(apart) < 0.5 * width(alone)
