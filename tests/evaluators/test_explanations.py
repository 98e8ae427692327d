"""Explanations by libraries, on networks whose explanation is known in closed form."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from networks import network

from lta.data.batches import Split
from lta.evaluators.localisation.explanations import EXPLANATIONS, explain
from lta.measures.map_statistics import distribution
from lta.models.output import NetworkOutput
from lta.transforms.normalize import Standardize


class Explained(torch.nn.Module):
    def __init__(self, network, preprocess=None):
        super().__init__()
        self.network, self.preprocess = network, preprocess or Standardize()

    def forward(self, images):
        return self.network(self.preprocess(images))


def made_split(count=6, size=32):
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    return Split(images, np.zeros(count, np.int64))


class Linear(torch.nn.Module):
    """Logits are linear in what preprocessing gives, and the second is always the larger."""

    levels = ()

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)))
        self.trunk = SimpleNamespace(stages={})

    def forward(self, x):
        logits = torch.einsum("bchw,kchw->bk", x, self.weight) + torch.tensor([0.0, 1e4])
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})


def test_of_a_linear_network_gradients_are_its_weights():
    preprocess = Standardize()
    preprocess.std.copy_(torch.tensor([10.0, 20.0, 50.0]))
    model, split = Explained(Linear(), preprocess), made_split(size=8)
    found = explain(model, split, ["saliency", "integrated_gradients"], 3, 4)
    weight = (model.network.weight[1] / preprocess.std.view(3, 1, 1)).detach()  # by the pixels, of the predicted class
    saliency = weight.abs().amax(0).expand(6, 8, 8)
    torch.testing.assert_close(torch.from_numpy(found["saliency"]), saliency)
    images = torch.from_numpy(split.images).permute(0, 3, 1, 2).float()
    away = images - images.mean((2, 3), keepdim=True)
    expected = (weight * away).sum(1).abs()
    torch.testing.assert_close(torch.from_numpy(found["integrated_gradients"]), expected, rtol=1e-3, atol=1e-3)


def test_grad_cam_of_a_gap_network_is_its_class_activation_map():
    """Selvaraju et al. 2017, section 3: Grad-CAM is a generalisation of CAM."""
    model = Explained(network("model=vgg_gap", "model.width=0.0625", "model.init.conv=fan_out").eval())
    split = made_split()
    found = explain(model, split, ["gradcam"], 1, 4)["gradcam"]
    cam = model(torch.from_numpy(split.images).permute(0, 3, 1, 2)).attn["C"]
    assert found.shape == cam.shape == (6, 8, 8)
    assert cam.std() > 1e-3
    torch.testing.assert_close(distribution(torch.from_numpy(found)), cam, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", ["vgg", "vgg_att2", "rn_att2", "vgg_pan"])
def test_all_networks_can_be_explained_and_are_left_as_they_were(name):
    size = ("model.width=0.25", "model.depth=20") if name.startswith("rn") else ("model.width=0.0625",)
    model = Explained(network(f"model={name}", *size, *(["model.init.scorer=author"] if "_" in name else [])).eval())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    split = made_split()
    found = explain(model, split, list(EXPLANATIONS), 2, 4)
    assert list(found) == list(EXPLANATIONS)
    for key, maps in found.items():
        assert len(maps) == 6
        assert np.isfinite(maps).all(), key
        assert (maps >= 0).all(), key
        assert maps.max() > 0, key
        assert maps.dtype == np.float32
    assert found["gradcam_pp"].shape == found["gradcam"].shape, "enlarged where the cells are, not by the package"
    assert all(parameter.grad is None and parameter.requires_grad for parameter in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_explanations_are_float32_under_autocast():
    model = Explained(network("model=vgg", "model.width=0.0625").eval())
    plain = explain(model, made_split(), ["gradcam_pp"], 1, 6)["gradcam_pp"]
    with torch.autocast("cpu", torch.bfloat16):
        under = explain(model, made_split(), ["gradcam_pp"], 1, 6)["gradcam_pp"]
    assert np.array_equal(plain, under)
