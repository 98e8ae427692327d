"""Losses and metrics of pictures with several labels, by hand and next to torch's and scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from lta.layers.heads import IndependentHead
from lta.models.output import NetworkOutput
from lta.training.binary_loss import BinaryCrossEntropy
from lta.training.label_metrics import ExactMatchError, LabelError, LabelRanking
from lta.training.losses import CrossEntropy
from lta.training.metrics import measure_loss
from lta.training.several_labels import check_several_labels

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 0.2, -0.1], [1.0, 1.0, -4.0], [0.3, -0.6, 2.0]])
LABELS = torch.tensor([[1, 0, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1]], dtype=torch.uint8)


def output(*logits):
    return NetworkOutput(logits[0], logits, {}, {}, {}, {})


def test_the_loss_is_summed_over_labels_and_classifiers():
    plain = nn.functional.binary_cross_entropy_with_logits(LOGITS, LABELS.float(), reduction="none").sum(1).mean()
    assert BinaryCrossEntropy()(output(LOGITS), LABELS) == pytest.approx(plain.item())
    assert BinaryCrossEntropy()(output(LOGITS, LOGITS), LABELS) == pytest.approx(2 * plain.item())
    assert measure_loss(LOGITS, LABELS, several=True) == pytest.approx(plain.item())
    smoothed = nn.functional.binary_cross_entropy_with_logits(LOGITS, 0.9 * LABELS + 0.05, reduction="none").sum(1).mean()
    assert BinaryCrossEntropy(label_smoothing=0.1)(output(LOGITS), LABELS) == pytest.approx(smoothed.item())


def test_a_mixed_label_is_both_losses_by_their_shares():
    loss, other = BinaryCrossEntropy(), LABELS.roll(1, 0)
    mixed = (
        nn.functional.binary_cross_entropy_with_logits(LOGITS, 0.3 * LABELS + 0.7 * other, reduction="none").sum(1).mean()
    )
    found = 0.3 * loss(output(LOGITS), LABELS) + 0.7 * loss(output(LOGITS), other)
    assert found == pytest.approx(mixed.item())


def test_weights_by_hand():
    labels = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0]], np.uint8)
    loss = BinaryCrossEntropy(class_weights="balanced")
    loss.fit_classes(labels, ("a", "b", "none"))
    assert loss.weights is not None
    assert loss.weights.tolist()[0] == pytest.approx([2 / 3, 2, 1])
    assert loss.weights.tolist()[1][:2] == pytest.approx([2, 2 / 3])
    given = BinaryCrossEntropy(class_weights={"a": 3})
    given.fit_classes(labels, ("a", "b", "none"))
    assert given.weights is not None
    assert given.weights[:, 0].tolist() == pytest.approx([4 / 6, 12 / 6]), "three times as much, and 1 in the mean"
    assert given.weights[:, 1].tolist() == [1, 1]
    seen = torch.from_numpy(labels)
    each = nn.functional.binary_cross_entropy_with_logits(LOGITS, seen.float(), reduction="none")
    by_hand = (each * torch.where(seen == 1, given.weights[1], given.weights[0])).sum(1).mean()
    assert given(output(LOGITS), seen) == pytest.approx(by_hand.item())
    with pytest.raises(ValueError, match=r"loss\.class_weights has dog, which is no class of the data: a, b"):
        BinaryCrossEntropy(class_weights={"dog": 2}).fit_classes(labels[:, :2], ("a", "b"))


def test_focal_by_hand():
    p = torch.where(LABELS == 1, LOGITS.sigmoid(), 1 - LOGITS.sigmoid())
    assert BinaryCrossEntropy(focal=2)(output(LOGITS), LABELS) == pytest.approx((-((1 - p) ** 2) * p.log()).sum(1).mean())
    sure = (100 * (2 * LABELS.float() - 1)).requires_grad_()
    BinaryCrossEntropy(focal=0.5)(output(sure), LABELS).backward()
    assert sure.grad is not None
    assert sure.grad.isfinite().all()


def test_errors_by_hand():
    exact, single = ExactMatchError(), LabelError()
    for part in (slice(0, 3), slice(3, 4)):  # right: 2.0 -1.0 | 1.0 1.0 -4.0
        exact.update(LOGITS[part], LABELS[part])
        single.update(LOGITS[part], LABELS[part])
    assert exact.compute() == pytest.approx(75)
    assert single.compute() == pytest.approx(100 * 3 / 12)


def test_ranking_is_that_of_scikit_learn():
    torch.manual_seed(0)
    logits, labels = 30 * torch.randn(50, 4), (torch.rand(50, 4) < 0.3).to(torch.uint8)
    labels[:, 3] = 0
    metric = LabelRanking(("a", "b", "c", "nobody's"))
    for part in (slice(0, 30), slice(30, 50)):
        metric.update(logits[part], labels[part])
    found = metric.compute()
    scores, true = logits.numpy(), labels.numpy()
    aurocs = [roc_auc_score(true[:, k], scores[:, k]) for k in range(3)]
    assert [found[f"auroc_{name}"].item() for name in "abc"] == pytest.approx(aurocs, abs=1e-6)
    assert found["auroc"].item() == pytest.approx(np.mean(aurocs), abs=1e-6)
    precisions = [average_precision_score(true[:, k], scores[:, k]) for k in range(3)]
    assert found["mAP"].item() == pytest.approx(np.mean(precisions), abs=1e-6)
    assert "auroc_nobody's" not in found, "a label that no picture has can't be ranked"
    many = LabelRanking([str(k) for k in range(30)])
    many.update(torch.randn(9, 30), torch.eye(9, 30, dtype=torch.uint8))
    assert set(many.compute()) == {"mAP", "auroc"}


def test_what_does_not_go_together():
    network = nn.Module()
    with pytest.raises(ValueError, match=r"this loss is for one class each: give loss=several_labels"):
        check_several_labels(True, CrossEntropy(), network)
    with pytest.raises(ValueError, match=r"loss=several_labels needs data that have several labels: data=image_folder"):
        check_several_labels(False, BinaryCrossEntropy(), network)
    network.head = IndependentHead((3, 3), 2, 0.0, combine="average")
    with pytest.raises(ValueError, match=r"head\.combine=average gives probabilities that sum to 1"):
        check_several_labels(True, BinaryCrossEntropy(), network)
    check_several_labels(False, CrossEntropy(), network)
