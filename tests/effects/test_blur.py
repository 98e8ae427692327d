"""The blur: where its ends are exact, and what it does to a point."""

import math

import pytest
import torch
from torchvision.transforms.v2.functional import gaussian_blur

from lta.effects.blur import apply_gaussian_blur, blur, mix

PICTURES = torch.randint(0, 256, (3, 3, 20, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("images", [PICTURES, PICTURES.double() / 255])
def test_amount_0_is_the_identity_and_1_the_full_blur(images):
    size = (3, 20, 32)
    full = apply_gaussian_blur(images, 0.1)
    assert torch.equal(blur(images, torch.zeros(size), 0.1), images)
    assert torch.equal(blur(images, torch.ones(size), 0.1), full)
    assert full.dtype == images.dtype
    assert not torch.equal(full, images)


def test_a_half_is_the_mean_and_a_mask_takes_either():
    full = apply_gaussian_blur(PICTURES.double(), 0.1)
    half = blur(PICTURES.double(), torch.full((3, 20, 32), 0.5), 0.1)
    torch.testing.assert_close(half, (PICTURES + full) / 2)
    left = (torch.arange(32) < 5).expand(3, 20, 32)
    mixed = mix(PICTURES, apply_gaussian_blur(PICTURES, 0.1), left)
    assert torch.equal(mixed[..., :5], apply_gaussian_blur(PICTURES, 0.1)[..., :5])
    assert torch.equal(mixed[..., 5:], PICTURES[..., 5:])
    assert torch.equal(mixed, blur(PICTURES, left.float(), 0.1))


def test_a_point_becomes_a_gaussian_of_that_many_pixels():
    point = torch.zeros(1, 3, 41, 61, dtype=torch.float64)
    point[:, :, 20, 30] = 1
    spread = apply_gaussian_blur(point, 0.1)[0, 0]
    assert spread.sum().item() == pytest.approx(1)
    y = torch.arange(41, dtype=torch.float64) - 20
    x = torch.arange(61, dtype=torch.float64) - 30
    # a little less: the tails beyond three deviations are cut off
    assert math.sqrt((spread.sum(1) * y**2).sum()) == pytest.approx(4.1, rel=0.03), "a tenth of the shorter side"
    assert math.sqrt((spread.sum(0) * x**2).sum()) == pytest.approx(4.1, rel=0.03)


def test_it_equals_torchvisions_and_means_the_same_at_any_size():
    whole = gaussian_blur(PICTURES.double(), [13, 13], [2.0, 2.0])
    torch.testing.assert_close(apply_gaussian_blur(PICTURES.double(), 0.1), whole)
    flat = torch.full((1, 3, 9, 7), 77, dtype=torch.uint8)
    assert torch.equal(apply_gaussian_blur(flat, 1 / 3), flat)


@pytest.mark.parametrize("sigma", [0, -1, 0.4, float("nan")])
def test_an_impossible_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match="must be a share"):
        apply_gaussian_blur(PICTURES, sigma)
