"""Evaluators' figures in words: which of them a reader looks at first, and how they are called."""

import re
from collections.abc import Mapping

FIRST: Mapping[str, Mapping[str, str]] = {
    "classification": {
        "error": "error, %",
        "error_*": "error, {0}, %",
        "balanced_error": "balanced error, %",
        "balanced_error_*": "balanced error, {0}, %",
        "macro_f1": "macro F1",
        "macro_f1_*": "macro F1, {0}",
        "auroc": "AUROC, one class against the rest",
        "auroc_*": "AUROC, one class against the rest, {0}",
        "average_precision": "average precision, one class against the rest",
        "average_precision_*": "average precision, one class against the rest, {0}",
        "ece": "calibration error (ECE)",
        "ece_*": "calibration error (ECE), {0}",
        "nll": "negative log-likelihood",
        "nll_*": "negative log-likelihood, {0}",
    },
    "localisation": {
        "maps.*.iou": "IoU: {0}",
        "maps.C.iou.controls.*": "IoU, next to level C: {0}",
        "maps.*.box_50": "boxes that fit at an IoU of 50 %: {0}",
        "maps.*.box_30": "boxes that fit at an IoU of 30 %: {0}",
        "maps.*.box_70": "boxes that fit at an IoU of 70 %: {0}",
        "maps.*.auc": "AUC of pixels: {0}",
        "maps.*.pointing": "pointing game: {0}",
    },
    "kept_sharp": {
        "maps.*.applied.mean": "object kept sharp and rest blurred, mean, %: {0}",
        "maps.*.applied.over_centre": "the same, over the centre, points: {0}",
    },
    "roles": {
        "levels.*.density.main": "density on the main object: {0}",
        "levels.*.density.side": "density on side objects: {0}",
        "levels.*.density.background": "density on the background: {0}",
        "levels.*.verdict.words": "verdict: {0}",
        "apart.words": "do the levels show them apart?",
    },
    "query": {
        "levels.*.replaced_by.*.tv": "attention moved by {1}: {0}",
        "predictions.*.*.changed": "classes changed by {1}: {0}, %",
        "pairs.levels.*.energy.difference": "energy moved to the query's object: {0}",
        "levels.*.verdict.words": "the query: {0}",
    },
    "robustness": {
        "attacks.*.*.error": "error, {0}, eps {1} of 255, %",
        "gradient_masking.verdict": "gradient masking",
    },
    "transfer": {"features.*.error": "error of a linear SVM on {0}, %"},
    "faithfulness": {
        "error_sharp": "error on sharp pictures, %",
        "orders.*.deletion": "deletion: {0}",
        "orders.*.insertion": "insertion: {0}",
    },
}
"""By evaluator the names of its figures, `*` standing for one part of a name, which the words call by `{0}`, `{1}`. A part
with a dot of its own stands in brackets (`attacks.pgd.[0.5].error`). All figures are in the run's own files."""

ANY: Mapping[str, str] = {"*": "{0}", "*.*": "{0}: {1}"}
"""Of an evaluator that is not listed."""

PARTS: Mapping[str, Mapping[str, str]] = {
    "localisation": {
        "gradcam": "Grad-CAM",
        "gradcam_pp": "Grad-CAM++",
        "own_class": "backbone's own class map",
        "uniform": "uniform map",
        "shuffled": "another picture's map",
        "chance": "random pixels",
        "product": "product of levels",
        "mean": "mean of levels",
        "max": "maximum of levels",
    },
    "query": {"another": "another picture's query", "zero": "a query of 0", "noise": "noise for a query"},
    "robustness": {
        "fgsm": "FGSM",
        "pgd": "PGD",
        "noise": "random signs",
        "uniform": "uniform noise",
        "source_fgsm": "FGSM on another network",
        "source_pgd": "PGD on another network",
    },
    "faithfulness": {
        "product": "product of levels",
        "random": "random pixels",
        "central": "central pixels",
        "shuffled": "another picture's map",
    },
}


def select_patterns(evaluator: str) -> Mapping[str, str]:
    """Which columns of an evaluator's table come first: by pattern of their names, the words to show."""
    return FIRST.get(evaluator, ANY)


def matches_pattern(name: str, pattern: str) -> bool:
    """Whether a figure's name fits a pattern."""
    return _match_parts(name, pattern) is not None


def describe_estimate(evaluator: str, name: str) -> str:
    """Of a figure that one of the evaluator's patterns fits; the first that does counts."""
    for pattern, words in select_patterns(evaluator).items():
        if (parts := _match_parts(name, pattern)) is not None:
            return words.format(*(_describe_part(evaluator, part) for part in parts))
    return name


def _match_parts(name: str, pattern: str) -> tuple[str, ...] | None:
    """What each `*` stands for; None where the pattern does not fit."""
    found = re.fullmatch(re.escape(pattern).replace(r"\*", r"(\[.*?\]|[^.]*)"), name)
    return tuple(re.sub(r"^\[(.*)\]$", r"\1", part) for part in found.groups()) if found else None


def _describe_part(evaluator: str, part: str) -> str:
    if evaluator in FIRST and re.fullmatch("[A-Z]", part):
        return f"level {part}"
    return PARTS.get(evaluator, {}).get(part, part.replace("_", " "))
