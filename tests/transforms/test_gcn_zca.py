"""Against the definition in float64, whose pictures are flattened colour by colour as in pylearn2."""

import sys
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from lta.transforms import gcn_zca
from lta.transforms.gcn_zca import GcnZca

RNG = np.random.default_rng(0)


def pictures(count, height, width):
    """Neighbours alike, unlike from left to right and top to bottom, so that nothing can be transposed unnoticed."""
    noise = RNG.standard_normal((count, height, width, 3))
    smooth = 40 * noise.cumsum(1) + 20 * noise.cumsum(2) + 5 * noise + 128
    return smooth.clip(0, 255).astype(np.uint8)


SMALL, OTHERS = pictures(200, 4, 5), pictures(20, 4, 5)


def tensor(images):
    return torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)


def fitted(images, **settings):
    module = GcnZca(**{"cache": "off", **settings})
    module.fit(images)
    return module


def contrast_normalised(images, scale):
    """(n, 3 height width)"""
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1).astype(np.float64)
    for row in rows:
        row -= row.mean()
        divisor = np.sqrt((row**2).sum()) / scale
        row /= 1.0 if divisor < 1e-8 else divisor
    return rows


def whitened(train, images, scale=55.0, filter_bias=0.1):
    x = contrast_normalised(train, scale)
    mean = x.mean(0)
    eigenvalues, vectors = np.linalg.eigh((x - mean).T @ (x - mean) / len(x) + filter_bias * np.identity(x.shape[1]))
    matrix = vectors @ np.diag(1 / np.sqrt(eigenvalues)) @ vectors.T
    rows = (contrast_normalised(images, scale) - mean) @ matrix
    return rows.reshape(len(images), 3, *images.shape[1:3])


@pytest.mark.parametrize("settings", [{}, {"scale": 1.0, "filter_bias": 0.01}, {"scale": 20, "filter_bias": 3}])
def test_training_and_other_pictures_come_out_as_defined(settings):
    module = fitted(SMALL, **settings)
    for images in (SMALL, OTHERS):
        assert np.allclose(module(tensor(images)), whitened(SMALL, images, **settings), atol=2e-5)


@pytest.mark.parametrize("side", [8, pytest.param(32, marks=pytest.mark.slow)])
def test_so_do_square_pictures_fewer_than_their_values(monkeypatch, side):
    monkeypatch.setattr(gcn_zca, "CHUNK", 16)  # several, the last one shorter
    images = pictures(40, side, side)
    assert np.allclose(fitted(images)(tensor(images[:10])), whitened(images, images[:10]), atol=2e-5)


def test_variances_become_those_of_the_regularised_whitening():
    module = fitted(SMALL, scale=2.0)
    before = np.linalg.eigvalsh(np.cov(contrast_normalised(SMALL, 2.0).T, bias=True)).clip(min=0)
    after = np.linalg.eigvalsh(np.cov(module(tensor(SMALL)).flatten(1).T.double(), bias=True))
    assert before.min() < 0.01 < 1 < before.max() * 10
    assert np.allclose(after, before / (before + 0.1), atol=1e-5)


def test_the_matrix_is_symmetric_and_the_state_carries_it():
    module = fitted(SMALL)
    assert torch.allclose(module.matrix, module.matrix.T, atol=1e-6)
    assert {name: tuple(value.shape) for name, value in module.state_dict().items()} == {
        "mean": (4, 5, 3),
        "matrix": (60, 60),
    }


def test_before_whitening_each_picture_has_mean_0_and_norm_scale():
    module = fitted(SMALL)
    out = module(tensor(OTHERS)).permute(0, 2, 3, 1).flatten(1).double()
    before = out @ module.matrix.double().inverse() + module.mean.flatten()
    assert torch.allclose(before.norm(dim=1), torch.tensor(55.0).double(), rtol=1e-5)
    assert before.mean(1).abs().max() < 1e-4


@pytest.mark.parametrize("value", [0, 255, 127.3, 1 / 3])
def test_a_picture_without_contrast_has_none_afterwards(value):
    module = fitted(SMALL)
    flat = torch.full((1, 3, 4, 5), value, dtype=torch.float32, requires_grad=True)
    out = module(flat)
    assert torch.allclose(out.permute(0, 2, 3, 1).flatten(), -module.mean.flatten() @ module.matrix, atol=1e-5)
    out.sum().backward()
    assert flat.grad.isfinite().all()


def test_flat_pictures_among_the_training_images_do_no_harm():
    images = np.concatenate([SMALL, np.full((3, 4, 5, 3), 9, np.uint8)])
    assert np.allclose(fitted(images)(tensor(OTHERS)), whitened(images, OTHERS), atol=2e-5)


def test_pixels_get_the_gradient_of_the_definition():
    module, weights = fitted(SMALL), torch.from_numpy(RNG.standard_normal((20, 3, 4, 5)))
    images = tensor(OTHERS).float().requires_grad_()
    (module(images) * weights).sum().backward()
    step = RNG.standard_normal(OTHERS.shape)
    ahead, behind = (whitened(SMALL, OTHERS + sign * 1e-4 * step) for sign in (1, -1))
    numerical = ((ahead - behind) / 2e-4 * weights.numpy()).sum((1, 2, 3))
    found = (images.grad.permute(0, 2, 3, 1) * torch.from_numpy(step)).sum((1, 2, 3))
    assert np.allclose(found, numerical, rtol=1e-3, atol=1e-3)


def test_uint8_and_float_under_bfloat16_or_not_give_the_same_channels_last_float32():
    module = fitted(SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        found = module(tensor(OTHERS).float().contiguous())
    assert found.dtype == torch.float32
    assert torch.equal(found, module(tensor(OTHERS)))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_an_unfitted_module_takes_a_state_also_as_a_part_of_another():
    module = fitted(SMALL)
    whole = nn.ModuleDict({"preprocess": GcnZca(cache="off"), "network": nn.Linear(2, 2)})
    state = nn.ModuleDict({"preprocess": module, "network": nn.Linear(2, 2)}).state_dict()
    whole.load_state_dict(state)
    assert torch.equal(whole["preprocess"](tensor(OTHERS)), module(tensor(OTHERS)))
    whole["preprocess"].mean.zero_()
    assert module.mean.any(), "loading copies"


def test_a_fitted_module_takes_no_state_of_another_size():
    with pytest.raises(RuntimeError, match="size mismatch"):
        fitted(SMALL).load_state_dict(fitted(pictures(10, 3, 3)).state_dict())


def test_a_second_fit_replaces_the_first():
    module = fitted(pictures(10, 3, 3))
    module.fit(SMALL)
    assert torch.equal(module.matrix, fitted(SMALL).matrix)


def test_pictures_of_another_size_are_refused_with_both():
    with pytest.raises(ValueError, match=r"fitted to pictures of 4x5 and can't take 5x4"):
        fitted(SMALL)(torch.zeros(1, 3, 5, 4))


def test_an_unfitted_module_says_so():
    with pytest.raises(ValueError, match="not fitted: call fit"):
        GcnZca(cache="off")(torch.zeros(1, 3, 4, 5))


def test_pictures_too_large_to_whiten_are_refused_before_anything_is_computed():
    with pytest.raises(ValueError, match=r"can't whiten pictures of 96x96.*64x64 is the most"):
        fitted(np.zeros((2, 96, 96, 3), np.uint8))


def test_directions_without_variance_stay_finite_however_large_the_others_are():
    grey = SMALL[..., :1].repeat(3, axis=-1)
    module = fitted(grey, scale=999_999.0, filter_bias=1e-6)
    assert module(tensor(grey)).isfinite().all()


@pytest.mark.parametrize("settings", [{"scale": 0}, {"scale": -55.0}, {"filter_bias": 0}, {"filter_bias": float("nan")}])
def test_impossible_settings_are_refused_by_name(settings):
    ((key, value),) = settings.items()
    with pytest.raises(ValueError, match=rf"^preprocess\.{key}={value} must be a number in [\[(]"):
        GcnZca(**settings)


def test_a_bar_shows_on_a_terminal_alone_and_is_closed(monkeypatch):
    bars = []

    class Bar(gcn_zca.tqdm):
        def __init__(self, *arguments, **settings):
            bars.append((self, settings["disable"]))
            super().__init__(*arguments, **{**settings, "disable": False, "delay": 0})

    monkeypatch.setattr(gcn_zca, "tqdm", Bar)
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        fitted(SMALL)
    assert [disabled for _, disabled in bars] == [False, True]
    assert all(bar.n == 200 for bar, _ in bars)
    assert not Bar._instances


def test_the_yaml_builds_it():
    node = OmegaConf.load(Path(__file__).parents[2] / "conf" / "preprocess" / "gcn_zca.yaml")
    module = hydra.utils.instantiate(node)
    assert isinstance(module, GcnZca)
    assert (module.scale, module.filter_bias) == (55, 0.1)
