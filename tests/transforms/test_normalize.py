import numpy as np
import pytest
import torch

from lta.transforms.normalize import Standardize

IMAGES = np.random.default_rng(0).integers(0, 256, (2100, 5, 3, 3)).astype(np.uint8) // np.array([1, 2, 5], np.uint8)


@pytest.fixture
def fitted():
    module = Standardize()
    module.fit(IMAGES)
    return module


def test_mean_and_std_are_those_of_each_channel(fitted):
    assert np.allclose(fitted.mean, IMAGES.mean((0, 1, 2)), rtol=1e-6)
    assert np.allclose(fitted.std, IMAGES.std((0, 1, 2)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_what_comes_out_is_standardised_in_its_place(fitted, dtype):
    given = torch.from_numpy(IMAGES).permute(0, 3, 1, 2).to(dtype)
    out = fitted(given)
    assert out.dtype == torch.float32
    expected = (IMAGES - IMAGES.mean((0, 1, 2))) / IMAGES.std((0, 1, 2))
    assert np.allclose(out.permute(0, 2, 3, 1), expected, atol=1e-5)


def test_a_channel_without_variation_comes_out_zero():
    images = np.full((4, 2, 2, 3), 7, np.uint8)
    images[0, 0, 0] = (8, 7, 9)
    module = Standardize()
    module.fit(images)
    assert module.std[1] == 1
    assert not module(torch.from_numpy(images).permute(0, 3, 1, 2))[:, 1].any()
