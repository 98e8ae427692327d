"""A map of the object, taught by a few pictures with masks, on a frozen pretrained network."""

from lta.teach.fit import Fit, Scorer, fit_scorer
from lta.teach.lessons import Lesson, read_lessons
from lta.teach.teacher import Taught, teach

__all__ = ["Fit", "Lesson", "Scorer", "Taught", "fit_scorer", "read_lessons", "teach"]
