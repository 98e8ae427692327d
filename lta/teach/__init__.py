"""A map of the object, taught by a few pictures with masks, on a frozen pretrained network."""

from lta.teach.fit import Described, Fit, Scorer, fit_scorer, fit_to_masks
from lta.teach.lessons import Lesson, read_lessons
from lta.teach.pairs import Pair, find_pairs
from lta.teach.teacher import Taught, teach

__all__ = [
    "Described",
    "Fit",
    "Lesson",
    "Pair",
    "Scorer",
    "Taught",
    "find_pairs",
    "fit_scorer",
    "fit_to_masks",
    "read_lessons",
    "teach",
]
