"""What a training computes, counted: by hand, and without a trace."""

import numpy as np
import pytest
import torch
from networks import network, tiny
from torch import nn

from lta.models.output import NetworkOutput
from lta.training.classifier import Classifier
from lta.training.flops import count_step_flops, describe_flops
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.transforms.normalize import Standardize


def classify_by(net):
    return Classifier(net, Standardize(), nn.Identity(), SGDRecipe(1), CrossEntropy(), ("a", "b", "c"))


class TwoLayers(nn.Module):
    levels = ()

    def __init__(self):
        super().__init__()
        self.conv, self.drop, self.linear = nn.Conv2d(3, 5, 3, padding=1), nn.Dropout(0.5), nn.Linear(5, 3)

    @property
    def classifiers(self):
        return (self.linear,)

    def forward(self, images):
        logits = self.linear(self.drop(self.conv(images).relu().mean((2, 3))))
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})


def test_two_layers_by_hand():
    """A layer's weights and inputs have a gradient of as many operations as its output, but for the pictures."""
    batch, height, width = 7, 6, 10
    convolution = 2 * batch * height * width * 5 * 3 * 9
    linear = 2 * batch * 5 * 3
    assert count_step_flops(classify_by(TwoLayers()), batch, height, width) == 2 * convolution + 3 * linear


def test_a_loss_with_tensors_of_its_own_is_counted_too():
    """The weights of classes are no part of the network: they have values where all else has shapes alone."""
    plain, weighed = classify_by(TwoLayers()), classify_by(TwoLayers())
    weighed.loss = CrossEntropy(class_weights="balanced")
    weighed.loss.fit_classes(np.array([0, 0, 1, 2]), ("a", "b", "c"))
    assert count_step_flops(weighed, 7, 6, 10) == count_step_flops(plain, 7, 6, 10)


class AsksForItsDevice(TwoLayers):
    def forward(self, images):
        assert images.device.type == "cpu"
        return super().forward(images)


def test_a_network_that_asks_for_its_device_is_counted_too():
    assert count_step_flops(classify_by(AsksForItsDevice()), 7, 6, 10) == count_step_flops(
        classify_by(TwoLayers()), 7, 6, 10
    )


@pytest.mark.parametrize("model", ["vgg_att3", "vgg_gap", "rn_att1", "air_wide_att3", "backbone_att2"])
def test_tensors_without_a_device_are_enough_for_all_networks(model, monkeypatch):
    """The other way takes five times as long: a second of each training."""
    monkeypatch.setattr("torch._subclasses.fake_tensor.FakeTensorMode", None)
    assert count_step_flops(classify_by(network(f"model={model}", *tiny(model))), 2, 64, 64) > 1e6


def test_the_compact_trunk_by_hand():
    """Three passes of each convolution but the first, which is not trained, and of which only the forward pass is made
    (its bias is a sum)."""
    layers = [(31, 24, 64), (15, 64, 64), (15, 64, 256), (7, 256, 256), (7, 256, 256), (3, 256, 256)]
    expected = 2 * 31**2 * 24 * 12 + 3 * sum(2 * size**2 * 9 * a * b for size, a, b in layers) + 3 * 2 * 256 * 10
    assert count_step_flops(classify_by(network("model=air")), 2, 32, 32) == pytest.approx(2 * expected, rel=1e-9)


@pytest.mark.parametrize("model", ["vgg_att3", "vgg_pan", "rn_att2", "air_wide_att3"])
def test_it_counts_what_a_real_step_computes_and_changes_nothing(model):
    from torch.utils.flop_counter import FlopCounterMode

    torch.manual_seed(0)
    classifier = classify_by(
        network(f"model={model}", *tiny(model), "model.dropout=0.5" if "air" not in model else "compat=additive")
    )
    classifier.network.eval()
    classifier.network.classifiers[0].train()
    modes = [module.training for module in classifier.network.modules()]
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    random = torch.get_rng_state()
    counted = count_step_flops(classifier, 4, 32, 32)
    assert torch.equal(torch.get_rng_state(), random)
    assert [module.training for module in classifier.network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert all(p.grad is None for p in classifier.parameters())
    classifier.network.train()
    with FlopCounterMode(display=False) as counter:
        classifier.loss(classifier.network(torch.randn(4, 3, 32, 32)), torch.zeros(4, dtype=torch.int64)).backward()
    assert counted == counter.get_total_flops()
    assert classifier.network.eval()(torch.randn(1, 3, 32, 32)).logits.isfinite().all(), "nothing without values is left"


def test_the_unit_suits_the_number():
    assert [describe_flops(n) for n in (3.26e14, 1.234e15, 1.08e10, 5e5)] == [
        "326 TFLOP",
        "1.23 PFLOP",
        "10.8 GFLOP",
        "0.5 MFLOP",
    ]
