"""Running statistics that do not fit are told, whatever made them so."""

import numpy as np
import pytest
import torch
from torch import nn

from lta.data.batches import Split
from lta.models.output import NetworkOutput
from lta.training.running_statistics import IMAGES, LEAST, find_shift


class Shown(nn.Module):
    """Tells pictures whose red is high; what is there of a Classifier."""

    def __init__(self, several):
        super().__init__()
        self.several_labels, self.class_names, self.hparams = several, ("low", "high"), {}
        self.preprocess = nn.Identity()
        self.network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1))
        with torch.no_grad():
            self.network[0].weight.copy_(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1))
            self.network[0].bias.zero_()

    def forward(self, images):
        high = self.network(images.float()).mean((2, 3))[:, 0]
        logits = torch.stack([-high, high], 1)
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})


def split_of(count, several):
    images = np.full((count, 4, 4, 3), 50, np.uint8)
    labels = np.arange(count) % 2
    images[labels == 1] = 150
    return Split(images, np.eye(2, dtype=np.uint8)[labels] if several else labels)


def set_statistics(classifier, mean):
    classifier.network[1].running_mean.fill_(mean)
    classifier.network[1].running_var.fill_(50.0**2)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_those_that_do_not_fit_are_told_and_nothing_changes(several, training):
    classifier = Shown(several).train(training)
    set_statistics(classifier, 200.0)  # all are below it
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    random = torch.get_rng_state()
    found = find_shift(classifier, split_of(300, several))
    assert found is not None
    assert (found.images, found.batch) == (IMAGES, 0)
    assert 45 < found.running < 55
    assert found.describe().startswith("running statistics do not fit: of 128 training images 49 % are wrong")
    assert all(module.training == training for module in classifier.modules())
    assert classifier.network[1].track_running_stats
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("several", [False, True])
def test_those_that_fit_are_not(several):
    classifier = Shown(several)
    set_statistics(classifier, 100.0)
    assert find_shift(classifier, split_of(300, several)) is None


def test_where_nothing_can_be_told():
    classifier = Shown(False)
    set_statistics(classifier, 200.0)
    assert find_shift(classifier, split_of(LEAST - 1, False)) is None
    classifier.network[1].keeps_statistics = True  # pretrained ones
    assert find_shift(classifier, split_of(300, False)) is None
    del classifier.network[1].keeps_statistics
    assert find_shift(classifier, split_of(300, False)) is not None
    classifier.network[1] = nn.Identity()
    assert find_shift(classifier, split_of(300, False)) is None
