"""An evaluator of one's own."""

import torch
from PIL import Image

from lta.evaluators.evaluator import Evaluator, Result
from lta.protocols import Splits, TrainedClassifier
from lta.testing.requirements import require


def check_evaluator(evaluator: Evaluator, classifier: TrainedClassifier, data: Splits) -> None:
    """Asks it twice of `classifier`, as `lta.load` gives one, about `data`, after `read`."""
    require(isinstance(evaluator, Evaluator), evaluator, "it is not an lta.evaluators.evaluator.Evaluator")
    require(isinstance(getattr(evaluator, "name", None), str), evaluator, "it has no name")
    before = [weight.detach().clone() for weight in classifier.parameters()]
    evaluator.check(classifier, data)
    result, again = (evaluator.run(classifier, data) for _ in range(2))
    require(isinstance(result, Result), evaluator, f"it returns {type(result).__name__}, not a Result")
    kept = all(torch.equal(now, then) for now, then in zip(classifier.parameters(), before, strict=True))
    require(kept, evaluator, "it changes the network's weights")
    require(repr(result.figures) == repr(again.figures), evaluator, "its figures differ the second time")
    require(len({tuple(row) for row in result.rows}) <= 1, evaluator, "the rows of its table have different keys")
    lines = all(isinstance(line, str) and "\n" not in line for line in result.lines)
    require(lines, evaluator, "its lines are not lines of text")
    drawn = all(isinstance(picture, Image.Image) for picture in result.pictures.values())
    require(drawn, evaluator, "its pictures are not all PIL images")
