"""How often the network is right, for which classes, and whether its confidence can be trusted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from lta import checks
from lta.evaluators.classification.by_class import OF_RANK, Scored, make_row, measure_classes
from lta.evaluators.classification.pictures import draw_calibration, draw_confusion, draw_images
from lta.evaluators.classification.several import ask_about_labels
from lta.evaluators.classification.views import VIEWS, average_logits
from lta.evaluators.evaluator import Evaluator, Result, labels_for
from lta.evaluators.passes import run_forward_passes
from lta.evaluators.table import format_estimate
from lta.measures.confusion import measure_balanced
from lta.measures.intervals import mean, share, wilson
from lta.measures.label_sets import gives_several_labels
from lta.protocols import Split, Splits, TrainedClassifier


class Classification(Evaluator):
    """Error in percent with Wilson's interval, over all and by class; figures in which each class counts as much as any
    other; how well each class is ranked before the rest; confusion matrix; NLL; calibration.

    `balanced_error`: the mean of the classes' errors. `macro_f1`, `auroc` and `average_precision`, 0 to 1: means over the
    classes, each against the rest. `by_class` has those of each class, and its sensitivity and specificity at a probability
    of 0.5 and at the threshold that is best on the validation set, where there is one.
    `ece` is the expected calibration error (Guo et al. 2017), 0 to 1, over `bins` bins of equal width: the mean, weighted
    by images, of the absolute difference of accuracy and confidence in a bin. `views`: test-time augmentation, see
    `lta.evaluators.classification.views`; the names of figures then end in it (`error_shifted`), so that no such figure is
    taken for one of the pictures as they are. `examples`: so many of the surest mistakes, and of the least sure images, are
    drawn. Of a network that gives several labels: see `lta.evaluators.classification.several`.
    """

    name = "classification"
    several_labels = True

    def __init__(self, bins: int = 15, views: str = "one", examples: int = 16):
        checks.require_whole_number("evaluator.classification.bins", bins, least=1)
        checks.require_choice("evaluator.classification.views", views, VIEWS)
        checks.require_whole_number("evaluator.classification.examples", examples)
        self.bins, self.views = bins, views
        self._examples = examples  # what is drawn makes no other question of it

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        """Raises ValueError where the data's classes are not the network's."""
        labels_for(classifier, data, data.test.labels)

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        if gives_several_labels(classifier):
            return ask_about_labels(classifier, data, self.views, self._examples, self.name)
        names = [str(name) for name in classifier.class_names]
        test, nll = self._score(classifier, data, data.test)
        validation = getattr(data, "val", None)
        val = None if validation is None else self._score(classifier, data, validation)[0]
        labels, shares, groups = test
        predicted, confidence = shares.argmax(1), shares.max(1)
        wrong = predicted != labels
        confusion = np.zeros((len(names), len(names)), np.int64)
        np.add.at(confusion, (labels, predicted), 1)
        by_class, ranked = measure_classes(test, val, names)
        balanced = measure_balanced(labels, predicted, len(names), groups)
        figures = {
            "error": share(wrong, groups),
            "balanced_error": balanced.error,
            "macro_f1": balanced.f1,
            **ranked,
            "error_by_class": {name: found["error"] for name, found in by_class.items()},
            "by_class": by_class,
            "nll": mean(nll, groups),
            "ece": calibration_error(confidence, ~wrong, self.bins),
            "confusion": {"rows": "true", "columns": "predicted", "classes": names, "counts": confusion.tolist()},
        }
        lines = self._describe(figures, float(confidence.mean()))
        rows = [make_row("all", figures), *(make_row(name, found) for name, found in by_class.items())]
        pictures = {
            "confusion": draw_confusion(confusion, names),
            "calibration": draw_calibration(figures["ece"], 1 / self.bins),
            **self._draw_examples(classifier, data, test),
        }
        tables = {
            "confusion": [
                {"true": name, **dict(zip(names, row, strict=True))}
                for name, row in zip(names, confusion.tolist(), strict=True)
            ]
        }
        if self.views != "one":
            figures = {f"{name}_{self.views}": figure for name, figure in figures.items()}
            rows = [{**row, "views": self.views} for row in rows]
        return Result(figures, rows, lines, pictures, tables)

    def _score(
        self, classifier: TrainedClassifier, data: Splits, split: Split
    ) -> tuple[Scored, Float[np.ndarray, " images"]]:
        """And the negative log-likelihood of each image's class."""
        labels = labels_for(classifier, data, split.labels)

        def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
            found = average_logits(lambda view: classifier(view).logits, images, self.views).log_softmax(1)
            own = torch.from_numpy(labels[index]).to(images.device)[:, None]
            return {"probabilities": found.exp(), "nll": -found.gather(1, own)[:, 0]}

        found = run_forward_passes(classifier, split, measure_batch, data.eval_batch_size, self.name)
        return Scored(labels, found["probabilities"], split.sources), found["nll"]

    def _describe(self, figures: Mapping[str, Any], confidence: float) -> list[str]:
        error, by_class = figures["error"], figures["error_by_class"]
        low, high = error["interval"]
        by_error = sorted(by_class, key=lambda name: -by_class[name]["value"])
        worst = [f"{name} {by_class[name]['value']:.1f} %" for name in by_error[:3]]
        augmented = "" if self.views == "one" else f", with test-time augmentation: views={self.views}"
        return [
            f"error           {error['value']:.2f} % ({low:.2f}-{high:.2f}, {error['n']:,} images{augmented})",
            f"balanced        error {format_estimate(figures['balanced_error'], '.2f', '-', ' %')}, "
            f"macro F1 {format_estimate(figures['macro_f1'], '.3f', '-')}",
            *self._describe_ranking(figures),
            f"worst classes   {', '.join(worst)}",
            f"calibration     ECE {figures['ece']['value']:.4f}, NLL {figures['nll']['value']:.4f}, mean confidence "
            f"{100 * confidence:.1f} %",
        ]

    def _describe_ranking(self, figures: Mapping[str, Any]) -> list[str]:
        if figures["auroc"]["value"] is None:
            return []
        auroc, precision = (format_estimate(figures[key], ".3f", "-") for key in OF_RANK)
        return [f"ranking         AUROC {auroc}, average precision {precision}: means over classes, each against the rest"]

    def _draw_examples(self, classifier: TrainedClassifier, data: Splits, test: Scored) -> dict[str, Image.Image]:
        confidence = test.probabilities.max(1)
        wrong = np.flatnonzero(test.probabilities.argmax(1) != test.labels)
        chosen = {
            "surest_mistakes": (wrong[np.argsort(-confidence[wrong], kind="stable")], "The surest mistakes"),
            "least_sure": (np.argsort(confidence, kind="stable"), "The least sure"),
        }
        return {
            name: draw_images(classifier, data.test, places[: self._examples], test.labels, test.probabilities, title)
            for name, (places, title) in chosen.items()
            if len(places[: self._examples])
        }


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
            {
                "confidence": sure[k] / count[k],
                "accuracy": hits[k] / count[k],
                "interval": list(wilson(float(hits[k]), int(count[k]))),
                "n": int(count[k]),
            }
            for k in np.flatnonzero(filled)
        ],
    }
