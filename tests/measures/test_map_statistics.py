import math

import pytest
import torch

from lta.measures.map_statistics import (
    agreement,
    centre_bias,
    effective_positions,
    entropy,
    peak,
    total_variation,
)

SINGLE = (entropy, effective_positions, peak, centre_bias)


def delta(size: tuple[int, int], *cells: tuple[int, int]) -> torch.Tensor:
    """One map with the attention shared evenly by `cells`."""
    attn = torch.zeros(1, *size)
    for row, column in cells:
        attn[0, row, column] = 1 / len(cells)
    return attn


UNIFORM = torch.full((1, 3, 5), 1 / 15)


@pytest.mark.parametrize(
    ("attn", "nats", "positions", "height_of_peak"),
    [
        (UNIFORM, math.log(15), 15, 1),
        (delta((3, 5), (0, 4)), 0, 1, 15),
        (delta((3, 5), (0, 0), (2, 4)), math.log(2), 2, 7.5),
        (torch.tensor([[[0.5, 0.25], [0.25, 0.0]]]), 1.5 * math.log(2), 2**1.5, 2),
        (torch.zeros(1, 3, 5), math.log(15), 15, 1),  # no attention anywhere counts as uniform
    ],
)
def test_spread(attn, nats, positions, height_of_peak):
    assert entropy(attn).item() == pytest.approx(nats, abs=1e-6)
    assert effective_positions(attn).item() == pytest.approx(positions, rel=1e-6)
    assert peak(attn).item() == pytest.approx(height_of_peak, rel=1e-6)


def test_centre_bias_by_hand():
    # 3x3: distances are 0 once, 1 four times, sqrt(2) four times.
    mean = (4 + 4 * math.sqrt(2)) / 9
    assert centre_bias(delta((3, 3), (1, 1))).item() == 0
    assert centre_bias(delta((3, 3), (0, 1))).item() == pytest.approx(1 / mean)
    assert centre_bias(delta((3, 3), (0, 0))).item() == pytest.approx(math.sqrt(2) / mean)
    assert centre_bias(delta((3, 3), (0, 0), (1, 1))).item() == pytest.approx(math.sqrt(2) / mean / 2)
    assert centre_bias(UNIFORM).item() == pytest.approx(1)
    # 1x4: distances 1.5, 0.5, 0.5, 1.5.
    assert centre_bias(delta((1, 4), (0, 0))).item() == pytest.approx(1.5)
    assert centre_bias(torch.ones(2, 1, 1)).tolist() == [1, 1]


def test_sigmoid_maps_count_by_their_shape_only():
    attn = torch.rand(4, 6, 6, generator=torch.Generator().manual_seed(0))
    for statistic in SINGLE:
        torch.testing.assert_close(statistic(attn), statistic(attn / attn.sum((1, 2), keepdim=True)))


@pytest.mark.parametrize("statistic", SINGLE)
@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e30])
def test_extreme_values_stay_finite(statistic, scale):
    attn = torch.tensor([[[1.0, 0, 0], [0, 0, 1.0]]]) * scale
    torch.testing.assert_close(statistic(attn), statistic(attn / scale), rtol=1e-3, atol=0)


def test_half_precision_is_computed_in_float32():
    attn = torch.full((1, 32, 32), 1 / 1024, dtype=torch.bfloat16)
    assert entropy(attn).dtype == torch.float32
    assert effective_positions(attn).item() == pytest.approx(1024, rel=1e-5)


def test_agreement_by_hand():
    fine = torch.tensor([[[1.0, 0.75, 0.25, 0.0]]])
    coarse = torch.tensor([[[1.0, 0.0]]])  # bilinear with half-pixel centres: 1, 0.75, 0.25, 0
    assert agreement(fine, coarse).item() == pytest.approx(1)
    assert agreement(coarse, fine).item() == pytest.approx(1)
    assert agreement(fine, coarse.flip(2)).item() == pytest.approx(-1)
    # Deviations (3, -1, -1, -1) / 4 and (-1, 3, -1, -1) / 4: -4 / 12.
    assert agreement(delta((2, 2), (0, 0)), delta((2, 2), (0, 1))).item() == pytest.approx(-1 / 3)
    # Finer in one direction each: both go to 2x2; (1, 1, 0, 0) and (1, 0, 1, 0) are uncorrelated.
    assert agreement(torch.tensor([[[1.0], [0.0]]]), torch.tensor([[[1.0, 0.0]]])).item() == pytest.approx(0, abs=1e-7)


def test_agreement_ignores_scale_and_survives_tiny_maps():
    attn = torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0))
    other = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1))
    expected = agreement(attn, other)
    torch.testing.assert_close(agreement(attn * 1e-30, other * 1e10), expected)
    # As numpy computes it in float64.
    enlarged = torch.nn.functional.interpolate(other[None].double(), (8, 8), mode="bilinear")[0]
    for image in range(3):
        pair = torch.stack([attn[image].double().flatten(), enlarged[image].flatten()])
        assert expected[image].item() == pytest.approx(torch.corrcoef(pair)[0, 1].item(), abs=1e-6)


@pytest.mark.parametrize("constant", [0.0, 1 / 3, 1 / 1024, 1e-38, 7e5])
def test_agreement_with_a_constant_map_is_zero(constant):
    varying = torch.rand(1, 12, 12, generator=torch.Generator().manual_seed(0))
    flat = torch.full((1, 5, 7), constant)  # enlarging it leaves rounding errors, which are no signal
    assert agreement(flat, varying).item() == 0
    assert agreement(varying, flat).item() == 0
    assert agreement(flat, flat).item() == 0


def test_total_variation_by_hand():
    corner, centre = delta((3, 3), (0, 0)), delta((3, 3), (1, 1))
    assert total_variation(corner, centre).item() == 1
    assert total_variation(corner, corner).item() == 0
    assert total_variation(delta((3, 3), (0, 0), (1, 1)), centre).item() == 0.5
    assert total_variation(torch.zeros(1, 3, 3), corner).item() == pytest.approx(8 / 9)  # zero counts as uniform
    assert total_variation(3 * corner, 0.1 * corner).item() == 0


def test_images_are_independent():
    attn = torch.cat([UNIFORM, delta((3, 5), (1, 2)), torch.zeros(1, 3, 5)])
    for statistic in SINGLE:
        torch.testing.assert_close(statistic(attn), torch.cat([statistic(one[None]) for one in attn]))
        assert statistic(attn).shape == (3,)


def test_a_broken_map_is_not_taken_for_a_uniform_one():
    broken = torch.full((1, 3, 5), torch.nan)
    for statistic in SINGLE:
        assert statistic(broken).isnan().all()
    assert total_variation(broken, UNIFORM).isnan().all()
    assert agreement(broken, UNIFORM + torch.rand(1, 3, 5)).isnan().all()
