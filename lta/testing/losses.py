"""A loss of one's own."""

import torch
from torch import Tensor, nn

from lta.models.output import NetworkOutput
from lta.protocols import Loss
from lta.testing.requirements import draw_the_same, require

BATCH, CLASSES = 6, 5
SURE = 5.0
"""A logit of an answer that is given."""


def check_loss(loss: Loss) -> None:
    """`loss(output, labels)`; with `several_labels` labels are 0 and 1 (batch, classes). What is checked: one number of
    float32, the same when asked again, a gradient that reaches the logits of every picture, that right answers cost less
    than wrong ones, and that nothing in it is trained."""
    with draw_the_same():
        weights = loss.named_parameters() if isinstance(loss, nn.Module) else ()
        trained = [name for name, weight in weights if weight.requires_grad]
        require(not trained, loss, f"it has weights that no recipe trains ({', '.join(trained)}): make them buffers")
        several = getattr(loss, "several_labels", False)
        classes = torch.arange(BATCH) % CLASSES
        labels = nn.functional.one_hot(classes, CLASSES).byte() if several else classes
        logits = torch.randn(BATCH, CLASSES, requires_grad=True)
        found = loss(_make_output(logits), labels)
        is_number = isinstance(found, Tensor) and found.ndim == 0
        require(is_number, loss, f"it returns {_describe(found)}, not a scalar tensor")
        require(found.dtype == torch.float32, loss, f"it returns {found.dtype}, not torch.float32")
        require(bool(found.isfinite()), loss, f"it returns {found.item()} for logits of random numbers")
        rough = loss(_make_output(logits.bfloat16()), labels).dtype
        require(rough == torch.float32, loss, f"of bfloat16 logits it returns {rough}, not torch.float32")
        again = loss(_make_output(logits), labels)
        require(torch.equal(found, again), loss, "the same output and labels give a different number the second time")
        other = loss(_make_output(logits), labels.roll(1, 0))
        require(not torch.equal(found, other), loss, "other labels give the same number")
        require(found.requires_grad, loss, "no gradient reaches the logits")
        (gradient,) = torch.autograd.grad(found, logits)
        require(bool(gradient.isfinite().all()), loss, "its gradient is not finite")
        reached = gradient.abs().sum(1) > 0
        require(bool(reached.all()), loss, f"no gradient reaches the logits of {int((~reached).sum())} of {BATCH} pictures")
        right, wrong = (nn.functional.one_hot(one, CLASSES) * SURE for one in (classes, classes.roll(1)))
        better = loss(_make_output(right), labels) < loss(_make_output(wrong), labels)
        require(bool(better), loss, "it is not smaller for right answers than for wrong ones")


def _make_output(logits: Tensor) -> NetworkOutput:
    maps = {"A": torch.full((BATCH, 2, 2), 0.25)}
    return NetworkOutput(logits, (logits,), maps, {"A": torch.zeros(BATCH, 2, 2)}, {"A": torch.randn(BATCH, 3)}, {})


def _describe(found: object) -> str:
    return f"a tensor of the shape {tuple(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
