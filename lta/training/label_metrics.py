"""Metrics of pictures with several labels, as torchmetrics: nothing is read back or synchronised before `compute`."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc, binary_average_precision
from torchmetrics.utilities import dim_zero_cat

from lta.training.metrics import PercentWrong

EACH = 20
"""Classes up to which each has an AUROC of its own."""


def make_label_metrics(class_names: Sequence[str]) -> dict[str, Metric]:
    """Those of a split that is evaluated."""
    return {"error": ExactMatchError(), "label_error": LabelError(), "ranking": LabelRanking(class_names)}


class ExactMatchError(PercentWrong):
    """Percent of images of which at least one label is not as it should be, where a label is said to be there from a
    probability of 0.5 on, 0 to 100."""

    def update(self, logits: Float[Tensor, "batch classes"], labels: UInt8[Tensor, "batch classes"]) -> None:
        self.wrong += ((logits >= 0) != labels.bool()).any(1).sum()
        self.seen += len(labels)


class LabelError(PercentWrong):
    """Percent of all labels of all images that are not as they should be (Hamming loss), 0 to 100."""

    def update(self, logits: Float[Tensor, "batch classes"], labels: UInt8[Tensor, "batch classes"]) -> None:
        self.wrong += ((logits >= 0) != labels.bool()).sum()
        self.seen += labels.numel()


class LabelRanking(Metric):
    """`mAP`: the mean over the labels of the average precision, and `auroc`: that of the AUROC, 0 to 1, over the labels that
    some images have and some have not; `auroc_<name>` of each of these, where there are at most `EACH` labels.

    A label that all images have, or none, has no such figure; torchmetrics' own would call it 0.
    """

    full_state_update = False
    higher_is_better = True
    logits: list[Tensor]
    labels: list[Tensor]

    def __init__(self, class_names: Sequence[str]):
        super().__init__()
        self.class_names = tuple(class_names)
        self.add_state("logits", [], dist_reduce_fx="cat")
        self.add_state("labels", [], dist_reduce_fx="cat")

    def update(self, logits: Float[Tensor, "batch classes"], labels: UInt8[Tensor, "batch classes"]) -> None:
        self.logits.append(logits)
        self.labels.append(labels)

    def compute(self) -> dict[str, Tensor]:
        """`mAP`, `auroc` and `auroc_<name>`; nothing where no label can be ranked."""
        logits, labels = dim_zero_cat(self.logits), dim_zero_cat(self.labels)
        there = labels.sum(0)
        ranked = torch.nonzero((there > 0) & (there < len(labels)))[:, 0].tolist()
        if not ranked:
            return {}
        # torchmetrics takes logits through a sigmoid, which makes the surest ones equal: it is given their ranks.
        scores = {k: logits[:, k].unique(return_inverse=True)[1].double() / len(logits) for k in ranked}
        aurocs = {k: binary_auroc(scores[k], labels[:, k].int()) for k in ranked}
        precisions = [binary_average_precision(scores[k], labels[:, k].int()) for k in ranked]
        each = {f"auroc_{self.class_names[k]}": value for k, value in aurocs.items()}
        means = {"mAP": torch.stack(precisions).mean(), "auroc": torch.stack(list(aurocs.values())).mean()}
        return means | (each if len(self.class_names) <= EACH else {})
