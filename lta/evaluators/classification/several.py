"""How well a network tells labels apart where an image has several of them, or none."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lta.evaluators.classification.by_class import OF_RANK, Scored, make_row, measure_classes
from lta.evaluators.classification.pictures import draw_images
from lta.evaluators.classification.views import average_logits
from lta.evaluators.evaluator import Result, labels_for
from lta.evaluators.passes import run_forward_passes
from lta.evaluators.table import format_estimate
from lta.measures.intervals import mean, share
from lta.measures.label_sets import HALF
from lta.protocols import Split, Splits, TrainedClassifier


def ask_about_labels(classifier: TrainedClassifier, data: Splits, views: str, examples: int, name: str) -> Result:
    """`error` in percent, with Wilson's interval: images of which any label is wrong, at a probability of 0.5.
    `label_error`: the share of wrong labels, a mean over images. `average_precision` (mAP) and `auroc`: means over the
    labels; `by_class` has those of each label, its error, and its sensitivity and specificity at 0.5 and at the threshold
    that is best on the validation set, where there is one. There is no confusion matrix: labels do not exclude each other.
    """
    names = [str(one) for one in classifier.class_names]
    test, losses = _score(classifier, data, data.test, views, name)
    validation = getattr(data, "val", None)
    val = None if validation is None else _score(classifier, data, validation, views, name)[0]
    wrong = (test.probabilities >= HALF) != test.labels
    by_class, ranked = measure_classes(test, val, names)
    figures = {
        "error": share(wrong.any(1), test.groups),
        "label_error": mean(100 * wrong.mean(1), test.groups),
        **ranked,
        "error_by_class": {one: found["error"] for one, found in by_class.items()},
        "by_class": by_class,
        "nll": mean(losses, test.groups),
    }
    lines = _describe(figures, views)
    rows = [make_row("all", figures), *(make_row(one, found) for one, found in by_class.items())]
    if views != "one":
        figures = {f"{one}_{views}": figure for one, figure in figures.items()}
        rows = [{**row, "views": views} for row in rows]
    return Result(figures, rows, lines, _draw_examples(classifier, data, test, examples))


def _score(
    classifier: TrainedClassifier, data: Splits, split: Split, views: str, name: str
) -> tuple[Scored, Float[np.ndarray, " images"]]:
    """And the negative log-likelihood of each image's labels, taken as independent."""
    labels = labels_for(classifier, data, split.labels)

    def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        logits = average_logits(lambda view: classifier(view).logits, images, views)
        true = torch.from_numpy(labels[index]).to(logits)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, true, reduction="none").sum(1)
        return {"probabilities": logits.sigmoid(), "nll": losses}

    found = run_forward_passes(classifier, split, measure_batch, data.eval_batch_size, name)
    return Scored(labels == 1, found["probabilities"], split.sources), found["nll"]


def _describe(figures: Mapping[str, Any], views: str) -> list[str]:
    error = figures["error"]
    augmented = "" if views == "one" else f", with test-time augmentation: views={views}"
    low, high = error["interval"]
    lines = [
        f"error           {error['value']:.2f} % ({low:.2f}-{high:.2f}, {error['n']:,} images{augmented}): any label wrong",
        f"of labels       {format_estimate(figures['label_error'], '.2f', '-', ' %')} are wrong, "
        f"NLL {figures['nll']['value']:.4f}",
    ]
    if figures["auroc"]["value"] is None:
        return lines
    auroc, precision = (format_estimate(figures[key], ".3f", "-") for key in OF_RANK)
    worst = sorted((one for one in figures["by_class"].items() if one[1]["auroc"]["value"] is not None), key=_rank)
    named = ", ".join(f"{name} {found['auroc']['value']:.3f}" for name, found in worst[:3])
    return [*lines, f"ranking         mAP {precision}, AUROC {auroc}: means over labels", f"lowest AUROC    {named}"]


def _rank(found: tuple[str, Mapping[str, Any]]) -> float:
    return found[1]["auroc"]["value"]


def _draw_examples(classifier: TrainedClassifier, data: Splits, test: Scored, count: int) -> dict[str, Image.Image]:
    apart = np.abs(test.probabilities - test.labels).max(1)  # of the label that the network is most wrong about
    wrong = np.flatnonzero(((test.probabilities >= HALF) != test.labels).any(1))
    unsure = np.abs(test.probabilities - HALF).min(1)
    chosen = {
        "surest_mistakes": (wrong[np.argsort(-apart[wrong], kind="stable")], "The surest mistakes"),
        "least_sure": (np.argsort(unsure, kind="stable"), "The least sure"),
    }
    return {
        name: draw_images(classifier, data.test, places[:count], test.labels, test.probabilities, title)
        for name, (places, title) in chosen.items()
        if len(places[:count])
    }
