"""The lens blur against what optics says of it, and against plain convolution."""

from functools import cache

import numpy as np
import pytest
import scipy.signal
import torch
from sklearn.datasets import load_sample_image

from lta.effects.lens import DETAIL, defocus, disc


@cache
def photograph():
    return torch.from_numpy(load_sample_image("flower.jpg")[:301, 100:551].copy()).permute(2, 0, 1).contiguous()


def light(picture):
    values = picture.double() / 255
    return torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(linear):
    return (255 * torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)).round()


def convolved(picture, radius):
    """Normalised at the edges, in double precision."""
    kernel = disc(radius).double().numpy()
    seen = [*light(picture).numpy(), np.ones(picture.shape[1:])]
    *colours, total = (scipy.signal.fftconvolve(values, kernel, "same") for values in seen)
    return encoded(torch.from_numpy(np.stack(colours) / total))


def test_what_is_in_focus_stays_to_the_bit():
    picture = photograph()
    assert torch.equal(defocus(picture, torch.zeros(picture.shape[1:]), 0.1), picture)
    amount = torch.rand(picture.shape[1:], generator=torch.Generator().manual_seed(0)).round()
    kept = (amount == 0).expand_as(picture)
    assert torch.equal(defocus(picture, amount, 0.1)[kept], picture[kept])


@pytest.mark.parametrize("pixels", [1.5, 3, DETAIL])
def test_a_small_disc_is_the_convolution_with_it(pixels):
    picture = photograph()
    height, width = picture.shape[1:]
    blurred = defocus(picture, torch.ones(height, width), pixels / height)
    assert (blurred - convolved(picture, pixels)).abs().max() <= 1, "rounded to sixteen bits of light, then to eight"


@pytest.mark.parametrize(("pixels", "off"), [(6, 0.8), (12, 1.2), (40, 2.5)])
def test_a_large_disc_is_close_to_it(pixels, off):
    picture = photograph()
    height, width = picture.shape[1:]
    blurred = defocus(picture, torch.ones(height, width), pixels / height)
    assert (blurred - convolved(picture, pixels)).abs().mean() < off, "of 255 steps: it is drawn on a coarser grid"


@pytest.mark.parametrize("radius", [0.01, 0.02, 0.05, 0.1, 0.25])
def test_a_sharp_object_has_no_halo(radius):
    picture = torch.zeros(3, 201, 299, dtype=torch.uint8)
    amount = torch.ones(201, 299)
    amount[60:140, 100:200] = 0
    picture[:, amount == 0] = 255
    assert torch.equal(defocus(picture, amount, radius), picture), "neither gives light to the other"


def test_what_is_out_of_focus_does_not_reach_into_the_sharp_and_a_point_becomes_a_disc():
    picture = torch.zeros(3, 101, 101, dtype=torch.uint8)
    picture[:, 50, 50] = 255
    out = defocus(picture, torch.ones(101, 101), 4 / 101)[0].float()
    away = torch.hypot(*(torch.meshgrid(*[torch.arange(101.0) - 50] * 2, indexing="ij")))
    assert out[away > 5].max() == 0
    assert len(out[away < 3].unique()) == 1, "of one brightness: a Gaussian would fall off"
    assert out[50, 50] > 0


def test_a_plain_picture_stays_plain_whatever_the_map():
    amount = torch.rand(101, 77, generator=torch.Generator().manual_seed(0))
    for radius in (0.01, 0.05, 0.2):
        assert defocus(torch.full((3, 101, 77), 93, dtype=torch.uint8), amount, radius).unique().tolist() == [93]


def test_transparent_pixels_give_no_light():
    picture = torch.full((3, 64, 64), 50, dtype=torch.uint8)
    alpha = torch.full((64, 64), 255, dtype=torch.uint8)
    picture[:, 20:40], alpha[20:40] = 255, 0
    out = defocus(picture, torch.ones(64, 64), 0.1, alpha)
    assert out[:, alpha == 255].unique().tolist() == [50]


def test_more_out_of_focus_is_smoother():
    picture = photograph()
    rough = [
        (defocus(picture, torch.full(picture.shape[1:], float(amount)), 0.1).float().diff(dim=2)).abs().mean().item()
        for amount in (0, 0.1, 0.2, 0.4, 0.6, 0.8, 1)
    ]
    assert rough == sorted(rough, reverse=True)
    assert rough[-1] < 0.3 * rough[0]


def test_one_thread_and_two_give_the_same():
    picture = photograph()
    amount = torch.rand(picture.shape[1:], generator=torch.Generator().manual_seed(0))
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(defocus(picture, amount, 0.1))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 2), (17, 31)])
def test_any_size(size):
    picture = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert defocus(picture, torch.ones(size), 0.25).shape == picture.shape


@pytest.mark.parametrize("radius", [0, -0.1, 0.3, "wide", float("nan")])
def test_what_the_radius_may_be(radius):
    with pytest.raises(Exception, match=r"radius=.* must be a share of the picture's shorter side|Type-check"):
        defocus(torch.zeros(3, 8, 8, dtype=torch.uint8), torch.ones(8, 8), radius)
