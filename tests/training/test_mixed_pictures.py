"""Training on mixed pictures: the loss of both labels by their shares, and a whole run with each choice."""

import json

import pytest
import torch
from commands import assert_refused, lta_run, train
from networks import network
from torch import nn

from lta.models.output import NetworkOutput
from lta.training.classifier import Classifier
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.transforms.normalize import Standardize
from lta.transforms.photographs import PhotographAugment

QUICK = (
    *("model=vgg_att1", "model.width=0.0625", "data=digit_scenes", "recipe=fast", "recipe.epochs=1", "trainer=cpu"),
    *("data.train_size=64", "data.val_size=32", "data.test_size=32", "data.batch_size=32", "logger=none"),
    *("default_evaluators=none", "callbacks.attention_maps=null"),
)


def make_classifier(augment, smoothing=0.0):
    recipe = SGDRecipe(1, label_smoothing=smoothing)
    made = Classifier(
        network("model=vgg_att1", "model.width=0.0625"),
        Standardize(),
        augment,
        recipe,
        CrossEntropy(smoothing),
        tuple("abcdefghij"),
    )
    made.fit_input(torch.randint(0, 256, (20, 32, 32, 3), dtype=torch.uint8).numpy())
    return made.train()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_that_of_the_mixed_label(smoothing):
    classifier = make_classifier(nn.Identity(), smoothing)
    logits, labels = torch.randn(6, 10), torch.tensor([3, 1, 4, 1, 5, 9])
    output = NetworkOutput(logits, (logits,), {}, {}, {}, {})
    one_hot = nn.functional.one_hot(labels, 10).float()
    mixed = 0.7 * one_hot + 0.3 * one_hot.roll(1, 0)
    expected = nn.functional.cross_entropy(logits, mixed, label_smoothing=smoothing)
    assert classifier._compute_loss(output, labels, 0.7).item() == pytest.approx(expected.item(), rel=1e-5)


class Mixer(PhotographAugment):
    """One share, and a record of what was shown."""

    def __init__(self, share):
        super().__init__(crop=1, flip=0, mixup=1)
        self.share = share

    def mix(self, images):
        return self.share * images + (1 - self.share) * images.roll(1, 0), self.share


@pytest.mark.parametrize(("share", "error"), [(0.8, 0.0), (0.2, 100.0)])
def test_a_step(share, error, monkeypatch):
    """A network that always answers with the picture's own label is right where its own share is the larger one."""
    classifier = make_classifier(Mixer(share))
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    labels, shown = torch.tensor([0, 1, 2, 3]), []

    def answer(seen):
        shown.append(seen)
        logits = 20 * nn.functional.one_hot(labels, 10).float()
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})

    monkeypatch.setattr(classifier, "_network_in_training", answer)
    loss = classifier.training_step((images, labels, labels), 0)
    plain = classifier.preprocess(images)
    torch.testing.assert_close(shown[0], share * plain + (1 - share) * plain.roll(1, 0))
    assert classifier.train_error.compute().item() == error
    assert loss.item() == pytest.approx(20 * (1 - share), rel=1e-4)


@pytest.mark.parametrize("choice", ["rand_augment", "cutmix"])
def test_a_run(choice, tmp_path):
    train(*QUICK, f"augment={choice}", f"hydra.run.dir={tmp_path}")
    found = json.loads((tmp_path / "results.json").read_text())
    assert 0 < found["history"][-1]["train/loss"] < 10
    assert found["test"]["error"] <= 100


def test_kept_features_refuse_them(tmp_path, capsys):
    pytest.importorskip("timm")
    told = ("model=backbone_att1", "model.backbone.name=resnet18", "model.backbone.weights=none", "recipe=transfer")
    ended = lta_run(
        capsys, [*QUICK[2:], *told, "model.backbone.cache=true", "augment=mixup", f"hydra.run.dir={tmp_path}/run"]
    )
    assert_refused(ended, "give augment=flip or augment=none")
