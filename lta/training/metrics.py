"""Losses and error rates as torchmetrics: sums live on the device, nothing is read back or synchronised before `compute`."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torchmetrics import Metric


def make_class_metrics(classes: int) -> dict[str, Metric]:
    """Those of a split that is evaluated, whose images have one class each."""
    top5: dict[str, Metric] = {"error_top5": ErrorRate(top=5)} if classes > 20 else {}
    return {"error": ErrorRate(), "balanced_error": BalancedError(classes), **top5}


def measure_loss(logits: Float[Tensor, "batch classes"], labels: Tensor, several: bool) -> Float[Tensor, ""]:
    """Cross-entropy, a mean over the batch; with `several` labels the binary ones, summed over the classes."""
    if not several:
        return nn.functional.cross_entropy(logits, labels)
    return nn.functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="sum") / len(labels)


class PercentWrong(Metric):
    """Percent that is wrong of all that was seen, 0 to 100."""

    full_state_update = False
    higher_is_better = False
    wrong: Tensor
    seen: Tensor

    def __init__(self):
        super().__init__()
        self.add_state("wrong", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("seen", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def compute(self) -> Tensor:
        """0 to 100."""
        return 100 * self.wrong / self.seen


class ErrorRate(PercentWrong):
    """Percent of images whose class is not among the `top` highest logits, 0 to 100."""

    def __init__(self, top: int = 1):
        super().__init__()
        self.top = top

    def update(self, logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> None:
        """Counts a batch in."""
        guessed = logits.topk(self.top, dim=1).indices if self.top > 1 else logits.argmax(1, keepdim=True)
        self.wrong += (guessed != labels.unsqueeze(1)).all(1).sum()
        self.seen += len(labels)


class BalancedError(Metric):
    """The mean of the classes' errors in percent, over the classes that have images: each class counts as much as any
    other."""

    full_state_update = False
    higher_is_better = False
    right: Tensor
    seen: Tensor

    def __init__(self, classes: int):
        super().__init__()
        for name in ("right", "seen"):
            self.add_state(name, torch.zeros(classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, logits: Float[Tensor, "batch classes"], labels: Int[Tensor, " batch"]) -> None:
        """Counts a batch in, by class."""
        self.seen.scatter_add_(0, labels, torch.ones_like(labels))
        self.right.scatter_add_(0, labels, (logits.argmax(1) == labels).long())

    def compute(self) -> Tensor:
        """0 to 100."""
        there = self.seen > 0
        errors = torch.where(there, 1 - self.right / self.seen.clamp(min=1), 0.0)
        return 100 * errors.sum() / there.sum()


class MeanLoss(Metric):
    """The mean over images of losses that are means over a batch of `images`. One that is no number makes it no number.

    torchmetrics' MeanMetric looks at each value whether it is one, which waits for the device at every step, and leaves
    those that are not out of the mean.
    """

    full_state_update = False
    higher_is_better = False
    total: Tensor
    seen: Tensor

    def __init__(self):
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("seen", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, loss: Float[Tensor, ""], images: int) -> None:
        """`loss` is a mean over `images`."""
        self.total += loss * images
        self.seen += images

    def compute(self) -> Tensor:
        return self.total / self.seen


class MeanOfSums(Metric):
    """The mean over images of sums over some of them, perhaps none; NaN where there was none at all."""

    full_state_update = False
    higher_is_better = False
    total: Tensor
    seen: Tensor

    def __init__(self):
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("seen", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, total: Float[Tensor, ""], images: Float[Tensor, ""]) -> None:
        """`total` is a sum over `images`, which may be 0."""
        self.total += total
        self.seen += images

    def compute(self) -> Tensor:
        return self.total / self.seen
