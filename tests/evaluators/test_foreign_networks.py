"""A network that has what lta.protocols.Network asks for, and nothing else of lta: evaluators answer, or say why not."""

import pytest
import torch
from torch import nn

from lta.data.digit_scenes import DigitScenes
from lta.evaluators.classification.evaluator import Classification
from lta.evaluators.evaluator import NotApplicable
from lta.evaluators.faithfulness.evaluator import Faithfulness
from lta.evaluators.localisation.evaluator import Localisation
from lta.evaluators.query.evaluator import Query
from lta.evaluators.robustness.evaluator import Robustness
from lta.evaluators.roles.evaluator import Roles
from lta.evaluators.transfer.features import network_features
from lta.models.output import NetworkOutput
from lta.training.classifier import Classifier
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.transforms.normalize import Standardize


class Own(nn.Module):
    levels = ("top",)

    def __init__(self):
        super().__init__()
        self.trunk = nn.Conv2d(3, 8, 3, 4)
        self.linear = nn.Linear(8, 10)
        self.attention = nn.Conv2d(8, 1, 1)

    @property
    def classifiers(self):
        return (self.linear,)

    def forward(self, images):
        x = self.trunk(images)
        scores = self.attention(x)[:, 0]
        attn = scores.flatten(1).softmax(1).view_as(scores)
        descriptor = (x * attn.unsqueeze(1)).sum((2, 3))
        logits = self.linear(descriptor)
        return NetworkOutput(logits, (logits,), {"top": attn}, {"top": scores}, {"top": descriptor}, {})


@pytest.fixture(scope="module")
def asked():
    data = DigitScenes(train_size=10, val_size=0, test_size=40, eval_batch_size=16)
    data.setup()
    torch.manual_seed(0)
    return Classifier(Own(), Standardize(), nn.Identity(), SGDRecipe(1), CrossEntropy(), data.class_names).eval(), data


@pytest.mark.parametrize(
    "evaluator",
    [
        Classification(),
        Faithfulness(images=4),
        Roles(),
        Robustness(eps=1, steps=1, pgd_images=4, masking_images=2),
        Localisation(["saliency"], explanation_images=4, examples=1),
    ],
    ids=lambda evaluator: evaluator.name,
)
def test_it_is_answered(evaluator, asked):
    evaluator.check(*asked)
    assert evaluator.run(*asked).rows


def test_its_maps_are_attention_and_what_needs_its_stages_is_left_out(asked):
    result = Localisation(explanation_images=4, steps=1, examples=0).run(*asked)
    assert result.figures["maps"]["top"]["kind"] == "attention"
    assert [name for name, one in result.figures["maps"].items() if one["kind"] == "explanation"] == [
        "saliency",
        "integrated_gradients",
    ]
    said = "Grad-CAM and Grad-CAM++ are left out: they look at the last of trunk.stages, which Own does not have"
    assert result.lines[-1] == said
    with pytest.raises(NotApplicable, match=r"explanations=gradcam needs a network with trunk\.stages, but Own has none"):
        Localisation(["gradcam"]).check(*asked)


def test_its_query_can_not_be_replaced(asked):
    with pytest.raises(NotApplicable, match="the query of Own: it has no branches, queries, acting_levels"):
        Query().check(*asked)


def test_its_features_are_what_its_classifiers_read(asked):
    classifier, data = asked
    assert network_features(classifier, data.test, 16, "").shape == (40, 8)


def test_one_that_lacks_something_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"^Linear has no levels, classifiers: a network needs what lta"):
        Classifier(nn.Linear(3, 3), nn.Identity(), nn.Identity(), SGDRecipe(1), CrossEntropy(), ("a", "b"))
