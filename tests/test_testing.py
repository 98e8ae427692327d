"""Each check of lta.testing passes for what fulfils the contract, and names in one line what is wrong with what does not."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from lta import testing
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.evaluators.evaluator import Evaluator, Result
from lta.layers.compatibility import Compatibility
from lta.layers.heads import Prediction
from lta.models.output import NetworkOutput


class Right(nn.Module):
    """A network with one map; `wrong` names what is."""

    levels = ("top",)

    def __init__(self, num_classes, wrong=""):
        super().__init__()
        self.wrong = wrong
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU())
        self.scorer = nn.Conv2d(8, 1, 1)
        self.linear = nn.Linear(8, 5 if wrong == "classes" else num_classes)
        if wrong == "unused":
            self.unused = nn.Linear(2, 2)
        if wrong == "hidden":
            self.hidden = torch.rand(())
        if wrong == "levels":
            self.levels = ("top", "bottom")
        if wrong == "list":
            self.levels = ["top"]

    @property
    def classifiers(self):
        return () if self.wrong == "classifiers" else (self.scorer,) if self.wrong == "no linear" else (self.linear,)

    def forward(self, images):
        if self.wrong == "in place":
            images.add_(1)
        x = self.trunk(images)
        scores = self.scorer(x)[:, 0].float()
        attn = scores.flatten(1).softmax(1).view_as(scores)
        if self.wrong == "half":
            attn = attn.bfloat16()
        if self.wrong == "negative":
            attn = scores - scores.mean()
        descriptor = (x * (scores if self.wrong == "negative" else attn).unsqueeze(1)).sum((2, 3))
        if self.wrong == "batch":
            descriptor = descriptor - descriptor.mean(0)
        if self.wrong == "detached":
            descriptor = descriptor.detach()
        if self.wrong == "zero":
            descriptor = descriptor.detach() + 0 * descriptor
        logits = self.linear(descriptor)
        if self.wrong == "random":
            logits = logits + torch.rand_like(logits)
        if self.wrong == "hidden":
            logits = logits + self.hidden
        if self.wrong == "nan":
            logits = logits * torch.nan
        if self.wrong == "shape":
            logits = logits[:, :-1]
        if self.wrong == "bare":
            return logits
        loss = [logits] if self.wrong == "loss" else (logits,)
        map_ = {"top": attn[0] if self.wrong == "map" else attn}
        return NetworkOutput(logits, loss, map_, {"top": scores[:, 1:] if self.wrong == "scores" else scores}, {}, {})


def test_a_network_that_fulfils_its_contract():
    state = torch.get_rng_state()
    testing.check_network(Right, image_size=9)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("wrong", "said"),
    {
        "classes": r"logits have the shape \(4, 5\), not \(4, 7\)",
        "unused": "no gradient reaches unused.weight, unused.bias: training on several devices would wait for it",
        "hidden": "a second network with its state_dict gives different logits: part of its state is missing there",
        "levels": r"attn has the keys \('top',\), but levels is \('top', 'bottom'\)",
        "list": r"levels must be a tuple of names, but is \['top'\]",
        "classifiers": "classifiers is empty: it names the linear layers that put out the classes",
        "no linear": r"classifiers has Conv2d\(.*\), which is not an nn.Linear with 5 outputs",
        "in place": "it changes the pictures that it is given",
        "half": "the map of top is torch.bfloat16, not float32",
        "negative": "the map of top holds values below 0 or not-a-number values",
        "batch": "a picture's logits depend on what else is in the batch",
        "detached": "no gradient reaches trunk.0.weight, .*: training on several devices would wait for it",
        "zero": "the gradient of trunk.0.weight, .* is zero: it acts on nothing",
        "random": "the same pictures give different logits the second time, in eval mode",
        "nan": "logits are not finite",
        "shape": r"logits have the shape \(4, 4\), not \(4, 5\)",
        "bare": "it returns Tensor, not a NetworkOutput",
        "loss": r"loss_logits must be a tuple, as \(logits,\)",
        "map": r"the map of top has the shape \(4, 4\), not \(batch, rows, columns\)",
        "scores": r"scores of top have the shape \(4, 3, 4\), its map \(4, 4, 4\)",
    }.items(),
)
def test_what_is_wrong_with_a_network(wrong, said):
    with pytest.raises(AssertionError, match=f"^Right: {said}$"):
        testing.check_network(partial(Right, wrong=wrong), image_size=9)


def test_no_network_at_all():
    with pytest.raises(
        AssertionError, match=r"^Linear: it has no levels, classifiers, which lta\.protocols\.Network asks for$"
    ):
        testing.check_network(partial(nn.Linear, 3))
    with pytest.raises(AssertionError, match=r"^object: it is not an nn\.Module$"):
        testing.check_network(lambda num_classes: object())


class Cosine(Compatibility):
    separable = False

    def __init__(self, channels, wrong=""):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))
        self.wrong = wrong
        if wrong == "unused":
            self.unused = nn.Parameter(torch.ones(2))
        if wrong == "separable":
            self.separable = True
        if wrong == "reads":
            self.reads_query = False
        if wrong == "flag":
            self.separable = None
        if wrong == "none":
            self.separable = True

    def score(self, positions, query):
        positions, scale = positions.float(), self.scale
        if query is None:
            return positions.sum(2) if self.wrong == "none" else positions @ scale
        if self.wrong == "none":
            return positions @ scale + query.sum(1, keepdim=True)
        if self.wrong in ("is separable", "is inert"):
            return positions @ scale + (query.sum(1, keepdim=True) if self.wrong == "is separable" else 0)
        scores = (positions * scale) @ query.unsqueeze(2)
        scores = scores if self.wrong == "shape" else scores[..., 0]
        if self.wrong == "batch":
            scores = scores - scores.mean(0)
        if self.wrong == "half":
            scores = scores.bfloat16()
        return scores / 0 if self.wrong == "infinite" else scores


def test_a_compatibility_function_that_fulfils_its_contract():
    testing.check_compat(Cosine)


@pytest.mark.parametrize(
    ("wrong", "said"),
    {
        "separable": "separable is True, and another query adds not the same to all of a picture's scores",
        "is separable": "separable is False, and another query adds the same to all of a picture's scores",
        "reads": "reads_query is False, and scores depend on the query",
        "is inert": "reads_query is True, and scores do not depend on the query",
        "flag": "separable must be True or False",
        "none": r"separable is True, and without a query \(None\) the scores differ by more than one number",
        "batch": "a picture's scores depend on what else is in the batch",
        "half": "scores of bfloat16 features are torch.bfloat16, not float32",
        "infinite": "scores are not finite",
        "unused": "no gradient reaches unused: training on several devices would wait for it",
    }.items(),
)
def test_what_is_wrong_with_a_compatibility_function(wrong, said):
    with pytest.raises(AssertionError, match=f"^Cosine: {said}$"):
        testing.check_compat(partial(Cosine, wrong=wrong))


def test_no_compatibility_function_at_all():
    with pytest.raises(AssertionError, match=r"^Identity: it is not an lta\.layers\.compatibility\.Compatibility$"):
        testing.check_compat(nn.Identity)


class Halves(nn.Module):
    def __init__(self, channels, num_classes, dropout, wrong=""):
        super().__init__()
        self.classifier, self.wrong = nn.Linear(sum(channels), num_classes), wrong
        if wrong != "classifiers":
            self.classifiers = (self.classifier,)

    def forward(self, descriptors):
        logits = self.classifier(torch.cat(descriptors, 1))
        return (logits, (logits,)) if self.wrong == "tuple" else Prediction(logits, (logits,))


def test_heads():
    testing.check_head(Halves)
    with pytest.raises(AssertionError, match=r"^Halves: it has no classifiers, which lta\.protocols\.Head asks for$"):
        testing.check_head(partial(Halves, wrong="classifiers"))
    with pytest.raises(AssertionError, match=r"^Halves: it returns tuple, not a Prediction$"):
        testing.check_head(partial(Halves, wrong="tuple"))


class Noise(ImageData):
    def __init__(self, wrong=""):
        super().__init__(batch_size=2)
        self.wrong = wrong

    def load(self):
        names = ("a", "a") if self.wrong == "names" else ("a", "b")
        test = self.draw(0 if self.wrong == "leak" else 2)
        if self.wrong == "labels":
            test = test._replace(labels=test.labels + 1)
        if self.wrong == "type":
            test = test._replace(labels=test.labels.astype(np.int32))
        if self.wrong == "float":
            test = test._replace(images=test.images / 255)
        if self.wrong == "size":
            test = test._replace(images=test.images[:, :-1])
        if self.wrong == "roles":
            test = test._replace(roles=np.full((8, 6, 6), 3, np.uint8))
        if "box" in self.wrong:
            boxes = np.full((8, 2, 4), np.nan, np.float64 if self.wrong == "box type" else np.float32)
            boxes[:, 0] = 0, 1.5, 7 if self.wrong == "box outside" else 6, 4
            boxes[3, 0] = np.nan if self.wrong == "box missing" else boxes[3, 0]
            test = test._replace(boxes=boxes)
        if self.wrong == "empty":
            test = test.take(np.arange(0))
        return names, self.draw(0), None if self.wrong == "no val" else self.draw(1), test

    def draw(self, seed):
        rng = np.random.default_rng(None if self.wrong == "random" else seed)
        return Split(rng.integers(0, 256, (8, 6, 6, 3), np.uint8), np.arange(8) % 2)


@pytest.mark.parametrize("wrong", ["", "no val", "boxes"])
def test_data_that_fulfil_their_contract(wrong):
    testing.check_data(partial(Noise, wrong))


@pytest.mark.parametrize(
    ("wrong", "said"),
    {
        "names": r"class_names must be different names, but are \['a', 'a'\]",
        "leak": "8 of 8 pictures of test are in train too",
        "labels": "test.labels go from 1 to 2; allowed is 0 to 1",
        "type": r"test.labels are int32 \(8,\), not int64 \(8,\)",
        "float": r"test.images are float64 \(8, 6, 6, 3\), not uint8 \(8, 6, 6, 3\)",
        "size": r"test.images are uint8 \(8, 5, 6, 3\), not uint8 \(8, 6, 6, 3\)",
        "roles": "test.roles go from 3 to 3; allowed is 0 to 2",
        "box type": r"test.boxes are float64 \(8, 2, 4\), not float32 \(8, most, 4\)",
        "box outside": r"test.boxes: not every row is a box \(left, top, right, bottom\) in 6x6 pixels",
        "box missing": "test.boxes: picture 3 has none",
        "empty": "test is empty",
        "random": "train.images differ when it is built and read again",
    }.items(),
)
def test_what_is_wrong_with_data(wrong, said):
    with pytest.raises(AssertionError, match=f"^Noise: {said}$"):
        testing.check_data(partial(Noise, wrong))


def test_no_data_at_all():
    with pytest.raises(AssertionError, match=r"^object: it has no read: derive it from lta\.data\.base\.ImageData$"):
        testing.check_data(object)


def fade(picture, attention, alpha=None, wrong=""):
    if wrong == "in place":
        attention.mul_(0.5)
    faded = picture * attention + (torch.rand(()) * 50 if wrong == "random" else 0)
    return faded if wrong == "float" else faded.to(torch.uint8)


def test_effects():
    testing.check_effect(fade)
    for wrong, said in (
        ("in place", "it changes the picture or the attention that it is given"),
        ("float", r"the result is torch.float32 \(3, 24, 40\), not uint8 \(3 or 4, height, width\)"),
        ("random", "the same picture and attention give a different result"),
    ):
        with pytest.raises(AssertionError, match=f"^fade: {said}$"):
            testing.check_effect(partial(fade, wrong=wrong))


class Brightness(Evaluator):
    name = "brightness"

    def __init__(self, wrong=""):
        self.wrong = wrong

    def run(self, classifier, data):
        figures = {"mean": float(data.test.images.mean())}
        if self.wrong == "random":
            figures = {"mean": np.random.default_rng().random()}
        if self.wrong == "weights":
            next(classifier.parameters()).data.add_(1)
        rows = [{"a": 1}, {"b": 1}] if self.wrong == "rows" else []
        lines = ["one\ntwo"] if self.wrong == "lines" else ["one"]
        pictures = {"p": 3} if self.wrong == "pictures" else {}
        return figures if self.wrong == "dict" else Result(figures, rows, lines, pictures)


def test_evaluators():
    data = Noise()
    data.read()
    testing.check_evaluator(Brightness(), Right(2), data)
    for wrong, said in (
        ("random", "its figures differ the second time"),
        ("weights", "it changes the network's weights"),
        ("rows", "the rows of its table have different keys"),
        ("lines", "its lines are not lines of text"),
        ("dict", "it returns dict, not a Result"),
    ):
        with pytest.raises(AssertionError, match=f"^Brightness: {said}$"):
            testing.check_evaluator(Brightness(wrong), Right(2), data)


def weigh(output, labels, wrong=""):
    """A cross-entropy with something wrong."""
    logits = output.logits.detach() if wrong == "detached" else output.logits
    loss = nn.functional.cross_entropy(logits if wrong == "half" else logits.float(), labels, reduction="none")
    if wrong == "first":
        return loss[:3].mean()
    if wrong == "labels":
        return logits.float().square().mean()
    if wrong == "nan":
        return loss.mean() * torch.nan
    if wrong == "random":
        return loss.mean() + torch.rand(())
    if wrong == "risen":
        return -loss.mean()
    return loss if wrong == "shape" else loss.mean().item() if wrong == "float" else loss.mean()


class Weighted(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, output, labels):
        return self.weight * weigh(output, labels)


def test_a_loss_that_fulfils_its_contract():
    testing.check_loss(weigh)


@pytest.mark.parametrize(
    ("wrong", "said"),
    {
        "shape": r"it returns a tensor of the shape \(6,\), not a scalar tensor",
        "float": "it returns float, not a scalar tensor",
        "half": r"of bfloat16 logits it returns torch\.bfloat16, not torch\.float32",
        "nan": "it returns nan for logits of random numbers",
        "random": "the same output and labels give a different number the second time",
        "labels": "other labels give the same number",
        "detached": "no gradient reaches the logits",
        "first": "no gradient reaches the logits of 3 of 6 pictures",
        "risen": "it is not smaller for right answers than for wrong ones",
    }.items(),
)
def test_what_is_wrong_with_a_loss(wrong, said):
    with pytest.raises(AssertionError, match=f"^weigh: {said}$"):
        testing.check_loss(partial(weigh, wrong=wrong))


def test_a_loss_with_weights_of_its_own():
    with pytest.raises(
        AssertionError, match=r"^Weighted: it has weights that no recipe trains \(weight\): make them buffers$"
    ):
        testing.check_loss(Weighted())
