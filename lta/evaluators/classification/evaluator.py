"""How often the network is right, for which classes, and whether its confidence can be trusted."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from lta import checks
from lta.evaluators.classification.views import VIEWS, average_logits
from lta.evaluators.evaluator import Evaluator, Result, labels_for
from lta.evaluators.passes import run_forward_passes
from lta.evaluators.table import flatten_estimate
from lta.measures.intervals import mean, share
from lta.protocols import Splits, TrainedClassifier


class Classification(Evaluator):
    """Error in percent with Wilson's interval, over all and per class; confusion matrix; NLL; calibration.

    `ece` is the expected calibration error (Guo et al. 2017), 0 to 1, over `bins` bins of equal width: the mean, weighted
    by images, of the absolute difference of accuracy and confidence in a bin. `views`: test-time augmentation, see
    `lta.evaluators.classification.views`; the names of figures then end in it (`error_shifted`), so that no such figure is
    taken for one of the pictures as they are.
    """

    name = "classification"

    def __init__(self, bins: int = 15, views: str = "one"):
        checks.require_whole_number("evaluator.classification.bins", bins, least=1)
        checks.require_choice("evaluator.classification.views", views, VIEWS)
        self.bins, self.views = bins, views

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        labels_for(classifier, data, data.test.labels)

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        labels = labels_for(classifier, data, data.test.labels)
        names = [str(name) for name in classifier.class_names]

        def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
            logits = average_logits(lambda view: classifier(view).logits, images, self.views)
            log_probabilities = logits.log_softmax(1)
            confidence, predicted = log_probabilities.exp().max(1)
            own = torch.from_numpy(labels[index]).to(images.device)[:, None]
            return {"predicted": predicted, "confidence": confidence, "nll": -log_probabilities.gather(1, own)[:, 0]}

        found = run_forward_passes(classifier, data.test, measure_batch, data.eval_batch_size, "classification")
        predicted = found["predicted"]
        wrong, sources = predicted != labels, data.test.sources
        confusion = np.zeros((len(names), len(names)), np.int64)
        np.add.at(confusion, (labels, predicted), 1)
        error = share(wrong, sources)
        calibration = calibration_error(found["confidence"], ~wrong, self.bins)
        nll = mean(found["nll"], sources)
        per_class = {
            name: share(wrong[labels == k], None if sources is None else sources[labels == k])
            for k, name in enumerate(names)
            if k in labels
        }
        rows = [_row("all", error), *(_row(name, figure) for name, figure in per_class.items())]
        worst = sorted(per_class, key=lambda name: -per_class[name]["value"])[:3]
        listed = ", ".join(f"{name} {per_class[name]['value']:.1f} %" for name in worst)
        low, high = error["interval"]
        augmented = "" if self.views == "one" else f", with test-time augmentation: views={self.views}"
        lines = [
            f"error           {error['value']:.2f} % ({low:.2f}-{high:.2f}, {error['n']:,} images{augmented})",
            f"worst classes   {listed}",
            f"calibration     ECE {calibration['value']:.4f}, NLL {nll['value']:.4f}, mean confidence "
            f"{100 * float(found['confidence'].mean()):.1f} %",
        ]
        figures = {
            "error": error,
            "error_by_class": per_class,
            "nll": nll,
            "ece": calibration,
            "confusion": {"rows": "true", "columns": "predicted", "classes": names, "counts": confusion.tolist()},
        }
        if self.views != "one":
            figures = {f"{name}_{self.views}": figure for name, figure in figures.items()}
            rows = [{**row, "views": self.views} for row in rows]
        return Result(figures, rows, lines)


def calibration_error(
    confidence: Float[np.ndarray, " images"], right: Int[np.ndarray, " images"] | np.ndarray, bins: int
) -> dict[str, Any]:
    """ECE, and what each bin holds; a confidence on a bin's edge belongs to the bin below, as in (low, high]."""
    place = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    sure, hits = np.bincount(place, confidence, bins), np.bincount(place, right, bins)
    filled = count > 0
    return {
        "value": float(np.abs(hits - sure).sum() / len(confidence)),
        "n": len(confidence),
        "bins": [
            {"confidence": sure[k] / count[k], "accuracy": hits[k] / count[k], "n": int(count[k])}
            for k in np.flatnonzero(filled)
        ],
    }


def _row(name: str, figure: dict[str, Any]) -> dict[str, Any]:
    return {
        "class": name,
        **flatten_estimate(figure, "error"),
        "n": figure["n"],
    }
