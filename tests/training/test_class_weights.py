"""Losses for unequal classes."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lta.models.output import NetworkOutput
from lta.training.losses import CrossEntropy
from lta.training.metrics import BalancedError, ErrorRate

LABELS = np.array([0] * 6 + [1] * 3 + [2])
NAMES = ("cat", "dog", "3")


def output_of(logits):
    return NetworkOutput(logits, (logits,), {}, {}, {}, {})


@pytest.fixture
def logits():
    return torch.randn(10, 3, generator=torch.Generator().manual_seed(0))


def test_balanced_weights_are_inverse_to_the_counts_and_one_on_average(logits):
    loss = CrossEntropy(class_weights="balanced", label_smoothing=0.1)
    loss.fit_classes(LABELS, NAMES)
    assert loss.weights.tolist() == pytest.approx([10 / 18, 10 / 9, 10 / 3])
    assert loss.weights[LABELS].mean().item() == pytest.approx(1)
    found = loss(output_of(logits), torch.from_numpy(LABELS))
    each = cross_entropy(logits, torch.from_numpy(LABELS), label_smoothing=0.1, reduction="none")
    assert found.item() == pytest.approx((each * loss.weights[LABELS]).mean().item())
    halves = [
        loss(output_of(part), label) for part, label in zip(logits.split(5), torch.from_numpy(LABELS).split(5), strict=True)
    ]
    assert found.item() == pytest.approx(torch.stack(halves).mean().item()), "as on two processes"
    assert "weights" not in loss.state_dict(), "checkpoints fit losses with and without them"


def test_weights_by_name(logits):
    loss = CrossEntropy(class_weights={"dog": 2, 3: 4})
    loss.fit_classes(LABELS, NAMES)
    assert (loss.weights / loss.weights[0]).tolist() == pytest.approx([1, 2, 4])
    assert loss.weights[LABELS].mean().item() == pytest.approx(1)
    with pytest.raises(ValueError, match=r"loss\.class_weights has cow, which is no class of the data: cat, dog, 3"):
        CrossEntropy(class_weights={"cow": 2}).fit_classes(LABELS, NAMES)
    with pytest.raises(ValueError, match=r"loss\.class_weights\.cat=0 must be a number in \(0, "):
        CrossEntropy(class_weights={"cat": 0}).fit_classes(LABELS, NAMES)
    for wrong in ("even", 3, [1, 2]):
        with pytest.raises(ValueError, match=r"must be balanced, or weights by class such as \{cat: 3\}"):
            CrossEntropy(class_weights=wrong)


def test_a_class_without_training_images():
    loss = CrossEntropy(class_weights="balanced")
    loss.fit_classes(LABELS, (*NAMES, "none"))
    assert loss.weights[3] == 0
    assert loss.weights.isfinite().all()


def test_focal_by_hand(logits):
    labels = torch.from_numpy(LABELS)
    own = logits.softmax(1)[torch.arange(10), labels]
    expected = (-own.log() * (1 - own) ** 2).mean()
    assert CrossEntropy(focal=2)(output_of(logits), labels).item() == pytest.approx(expected.item(), rel=1e-5)
    sure = torch.tensor([[200.0, 0, 0]], requires_grad=True)
    CrossEntropy(focal=0.5)(output_of(sure), torch.tensor([0])).backward()
    assert sure.grad.isfinite().all(), "also where it is quite sure"
    with pytest.raises(ValueError, match=r"loss\.focal=-1 must be a number in \[0, 100\)"):
        CrossEntropy(focal=-1)


def test_the_plain_loss_is_as_it_was(logits):
    labels = torch.from_numpy(LABELS)
    assert torch.equal(CrossEntropy(0.1)(output_of(logits), labels), cross_entropy(logits, labels, label_smoothing=0.1))


def test_the_balanced_error_is_the_mean_of_the_classes_errors():
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    logits = torch.eye(3)[[0, 0, 0, 1, 1, 2]]
    balanced, plain = BalancedError(3), ErrorRate()
    for part in (slice(0, 2), slice(2, 6)):
        balanced.update(logits[part], labels[part]), plain.update(logits[part], labels[part])
    assert balanced.compute().item() == pytest.approx((25 + 50) / 2), "the class without images has no part"
    assert plain.compute().item() == pytest.approx(100 / 3)
