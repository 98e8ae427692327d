"""Against the definition, written as plain loops from Torch7's Lua: image.gaussian1D, SpatialContrastiveNormalization."""

import math
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from lta.transforms.yuv_lcn import YuvLcn, _local_contrast

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (13, 17, 3)).astype(np.uint8)  # no symmetry, sides differ
PICTURE[:9, :8] = (200, 30, 90)  # flat, and so large that some of its pixels see nothing else
FLAT = (slice(0, 6), slice(0, 5))


def tensor(images):
    return torch.from_numpy(np.asarray(images)).permute(0, 3, 1, 2)


def yuv(picture):
    r, g, b = (picture[..., c].astype(np.float64) for c in range(3))
    return (
        0.299 * r + 0.587 * g + 0.114 * b,
        -0.14713 * r - 0.28886 * g + 0.436 * b,
        0.615 * r - 0.51499 * g - 0.10001 * b,
    )


def local_contrast(luma):
    """Pixel by pixel, in float64."""
    weights = [math.exp(-(((i - 4.0) / (0.25 * 7)) ** 2) / 2) for i in range(1, 8)]
    weights = [weight / sum(weights) for weight in weights]
    height, width = luma.shape

    def sums(plane):
        out = np.zeros_like(plane)
        for y in range(height):
            for x in range(width):
                for dy in range(-3, 4):
                    for dx in range(-3, 4):
                        if 0 <= y + dy < height and 0 <= x + dx < width:
                            out[y, x] += weights[dy + 3] * weights[dx + 3] * plane[y + dy, x + dx]
        return out

    coefficient = sums(np.ones_like(luma))
    centred = luma - sums(luma) / coefficient
    deviation = np.sqrt(sums(centred**2)) / coefficient
    return centred / np.where(deviation > 1e-4, deviation, 1e-4)


@pytest.mark.parametrize("size", [(13, 17), (2, 5), (1, 1), (32, 32)])
def test_luma_is_that_of_a_double_loop_borders_included(size):
    picture = PICTURE if size == (13, 17) else RNG.integers(0, 256, (*size, 3)).astype(np.uint8)
    found = YuvLcn("off")(tensor([picture]))[0, 0]
    assert np.allclose(found, local_contrast(yuv(picture)[0]), rtol=1e-6, atol=1e-6)


def test_deviations_up_to_the_threshold_are_replaced_by_it():
    picture = (50 + 1e-4 * RNG.standard_normal((13, 17, 3))).astype(np.float32)
    expected = local_contrast(yuv(picture)[0])
    assert 0.05 < np.abs(expected).max() < 2
    assert np.allclose(YuvLcn("off")(tensor([picture]))[0, 0], expected, atol=1e-5)


def test_flat_areas_come_out_zero_beside_others_that_do_not():
    found = YuvLcn("off")(tensor([PICTURE, np.full_like(PICTURE, 255), np.zeros_like(PICTURE)]))[:, 0]
    assert found[0][FLAT].abs().max() < 1e-6
    assert found[0].abs().max() > 1
    assert found[1:].abs().max() < 1e-6


def test_u_and_v_are_standardised_over_all_training_pixels():
    images = RNG.integers(0, 256, (7, 300, 200, 3)).astype(np.uint8)  # several chunks, the last one shorter
    images[:, 100:, :, 0] //= 3
    module = YuvLcn("off")
    module.fit(images)
    for channel, plane in enumerate(yuv(images)[1:]):
        expected = (plane - plane.mean()) / plane.std(ddof=1)
        assert np.allclose(module(tensor(images))[:, 1 + channel], expected, rtol=1e-5, atol=1e-5)


def test_the_standard_deviation_is_that_of_a_sample():
    images = np.array([0, 50, 200, 10, 90, 120], np.uint8).reshape(1, 1, 2, 3)
    module = YuvLcn("off")
    module.fit(images)
    u = yuv(images)[1].ravel()
    assert module.std[0].item() == pytest.approx(abs(u[0] - u[1]) / math.sqrt(2), rel=1e-6)


def test_training_statistics_are_used_on_other_pictures_and_luma_has_none():
    module, other = YuvLcn("off"), YuvLcn("off")
    module.fit(np.stack([PICTURE, PICTURE // 2]))
    given = tensor([PICTURE[::-1, ::-1].copy()])
    plain, fitted = other(given), module(given)
    assert torch.equal(plain[:, 0], fitted[:, 0])
    assert torch.allclose(fitted[:, 1:], (plain[:, 1:] - module.mean.view(2, 1, 1)) / module.std.view(2, 1, 1), atol=1e-5)


def test_grey_pictures_have_no_v():
    images = np.repeat(RNG.integers(0, 256, (5, 8, 8, 1)).astype(np.uint8), 3, axis=-1)
    module = YuvLcn("off")
    module.fit(images)
    assert module.std[1] == 1
    found = module(tensor(images))
    assert found.isfinite().all()
    assert not found[:, 2].any()


def test_pixels_get_a_finite_gradient_flat_areas_included():
    images = tensor([PICTURE, np.full_like(PICTURE, 7), np.zeros_like(PICTURE)]).float().requires_grad_()
    YuvLcn("off")(images).square().sum().backward()
    assert images.grad.isfinite().all()
    assert images.grad[0].abs().min() > 0


def test_the_gradient_is_that_of_the_definition():
    luma = torch.from_numpy(yuv(RNG.integers(0, 256, (6, 5, 3)))[0])[None].requires_grad_()
    assert torch.autograd.gradcheck(_local_contrast, luma)


def test_uint8_and_float_under_bfloat16_or_not_give_the_same_channels_last_float32():
    module = YuvLcn("off")
    module.fit(PICTURE[None])
    expected = module(tensor([PICTURE, PICTURE[::-1].copy()]))
    with torch.autocast("cpu", torch.bfloat16):
        found = module(tensor([PICTURE, PICTURE[::-1].copy()]).float().contiguous())
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_the_state_holds_what_was_fitted():
    module, other = YuvLcn("off"), YuvLcn("off")
    module.fit(PICTURE[None])
    assert set(module.state_dict()) == {"mean", "std"}
    other.load_state_dict(module.state_dict())
    assert torch.equal(other(tensor([PICTURE])), module(tensor([PICTURE])))


def test_the_yaml_builds_it():
    node = OmegaConf.load(Path(__file__).parents[2] / "conf" / "preprocess" / "yuv_lcn.yaml")
    assert isinstance(hydra.utils.instantiate(node), YuvLcn)


def test_a_cache_that_is_no_folder_is_refused():
    with pytest.raises(ValueError, match=r"^preprocess\.cache=True must be a folder"):
        YuvLcn(True)
