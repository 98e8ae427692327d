"""What a network is taught by: lta's own loss by hand, and one of somebody's own."""

import csv
import math
import sys
from functools import partial

import pytest
import torch
from commands import TINY, assert_refused, lta_run
from networks import composed
from torch import nn

import lta
from lta.instantiate import build
from lta.models.output import NetworkOutput
from lta.training.classifier import Classifier
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe


def test_label_smoothing_by_hand():
    logits = torch.tensor([[math.log(3.0), 0.0]])
    output = NetworkOutput(logits, (logits,), {}, {}, {}, {})
    p = torch.tensor([0.75, 0.25])
    expected = -(0.95 * p[0].log() + 0.05 * p[1].log())
    loss = CrossEntropy(label_smoothing=0.1)(output, torch.tensor([0]))
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize(("given", "taken"), [(torch.float64, torch.float64), (torch.bfloat16, torch.float32)])
def test_the_loss_is_in_full_precision_and_doubles_stay(given, taken):
    logits = torch.tensor([[1.0, 2.0]], dtype=given)
    assert CrossEntropy()(NetworkOutput(logits, (logits,), {}, {}, {}, {}), torch.tensor([0])).dtype == taken


def test_the_loss_is_the_sum_over_loss_logits():
    logits = torch.randn(2, 3, 4)
    labels = torch.tensor([0, 1, 2])
    output = NetworkOutput(logits.sum(0), tuple(logits), {}, {}, {}, {})
    expected = sum(torch.nn.functional.cross_entropy(each, labels) for each in logits)
    torch.testing.assert_close(CrossEntropy()(output, labels), expected)


@pytest.mark.parametrize("recipe", ["fast", "air", "author", "author_resnet", "muon"])
def test_a_recipe_says_how_labels_are_smoothed(recipe):
    for given in ([], ["recipe.label_smoothing=0.3"]):
        cfg = composed(f"recipe={recipe}", "data=cifar10", *given)
        assert build(cfg.loss).label_smoothing == cfg.recipe.label_smoothing
    assert cfg.recipe.label_smoothing == 0.3


def test_a_recipe_without_label_smoothing():
    assert build(composed("~recipe.label_smoothing").loss).label_smoothing == 0


class Centres(nn.Module):
    def __init__(self):
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(2, 2))

    def forward(self, output, labels):
        return (output.logits - self.centres[labels]).square().mean()


def focal(output, labels):
    wrong = 1 - output.logits.softmax(1).gather(1, labels[:, None])
    return -(wrong**2 * (1 - wrong).log()).mean()


class Fixed(nn.Module):
    """The same logits for all pictures."""

    levels = classifiers = ()

    def __init__(self):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([[1.0, 2.0], [0.5, 0.0]]))

    def forward(self, images):
        return NetworkOutput(self.logits, (self.logits,), {}, {}, {}, {})


@pytest.mark.parametrize(
    ("recipe", "loss", "says"),
    [
        (SGDRecipe(1), Centres(), "loss=Centres has trainable weights, which no recipe trains"),
        (
            SGDRecipe(1, label_smoothing=0.2),
            partial(focal),
            "is 0.2, but loss=focal has 0: give recipe.label_smoothing=0",
        ),
        (SGDRecipe(1), CrossEntropy(0.1), "is 0, but loss=CrossEntropy has 0.1: give recipe.label_smoothing=0.1"),
    ],
)
def test_what_a_recipe_can_not_do_with_a_loss_is_refused(recipe, loss, says):
    with pytest.raises(ValueError, match=says):
        Classifier(Fixed(), nn.Identity(), nn.Identity(), recipe, loss, ("a", "b"))


def test_a_loss_of_ones_own_is_what_is_trained():
    """The gradient is its own."""
    network = Fixed()
    classifier = Classifier(network, nn.Identity(), nn.Identity(), SGDRecipe(1), focal, ("a", "b"))
    images, labels = torch.zeros(2, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1])
    classifier.training_step((images, labels, torch.arange(2)), 0).backward()
    given = network.logits.grad.clone()
    network.logits.grad = None
    focal(network(images), labels).backward()
    torch.testing.assert_close(network.logits.grad, given)
    assert given.abs().sum() > 0


def test_label_smoothing_given_to_the_loss_alone_is_refused(tmp_path, capsys):
    ended = lta_run(capsys, [*TINY, "loss.label_smoothing=0.1", f"hydra.run.dir={tmp_path}/run"])
    assert_refused(ended, "recipe.label_smoothing is 0, but loss=CrossEntropy has 0.1: give recipe.label_smoothing=0.1")


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder with a loss of somebody's own: a module and one yaml."""
    (tmp_path / "conf" / "loss").mkdir(parents=True)
    (tmp_path / "conf" / "loss" / "doubled.yaml").write_text("_target_: loss_of_test.doubled\n_partial_: true\nby: 2.0\n")
    (tmp_path / "loss_of_test.py").write_text(
        "import torch\ndef doubled(output, labels, by):\n"
        "    return by * torch.nn.functional.cross_entropy(output.logits.float(), labels)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("loss_of_test", None)


def test_a_loss_of_ones_own_needs_one_yaml(outside, capsys):
    short = [*TINY, "callbacks.attention_maps=null", "recipe.lr=1e-9"]  # so small that nothing changes
    losses = {}
    for name, given in {"plain": [], "own": ["-cd", "conf", "loss=doubled"]}.items():
        ended = lta_run(capsys, [*given, *short, f"hydra.run.dir={name}"])
        assert ended.status == 0, ended.err
        (row,) = csv.DictReader((outside / name / "metrics.csv").read_text().splitlines())
        losses[name] = float(row["train/loss"]), float(row["val/loss"])
    assert losses["own"][0] == pytest.approx(2 * losses["plain"][0], rel=1e-4)
    assert losses["own"][1] == pytest.approx(losses["plain"][1], rel=1e-4), "which is measured alike for all"
    assert lta.load(outside / "own", config_dir=outside / "conf").loss.keywords == {"by": 2.0}
    assert_refused(
        lta_run(capsys, ["-cd", "conf", *short, "loss=doubled", "loss.by=3", "resume=auto", "hydra.run.dir=own"]),
        "own holds a run of another configuration: loss.by is 2.0 there, but 3 here",
    )
