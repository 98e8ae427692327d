"""The scorer against closed forms, and what is said of masks that were left out."""

import numpy as np
import pytest
import torch

from lta.measures.placement import place_evenly
from lta.teach.fit import Described, fit_scorer, fit_to_masks
from lta.teach.lessons import Lesson, average_in_cells


def describe(features, shares, of=0):
    features, shares = torch.as_tensor(features).float(), torch.as_tensor(shares).float()
    rows, columns = shares.shape
    mask = shares.repeat_interleave(4, 0).repeat_interleave(4, 1) >= 0.5
    lesson = Lesson(torch.zeros(3, 4 * rows, 4 * columns, dtype=torch.uint8), mask)
    return Described(lesson, features, shares, place_evenly((rows, columns)), of)


def draw(seed, of, noise=0.0):
    """A square that the first channel shows, and two channels of noise."""
    generator = torch.Generator().manual_seed(seed)
    shares = torch.zeros(6, 6)
    top, left = torch.randint(0, 4, (2,), generator=generator).tolist()
    shares[top : top + 3, left : left + 3] = 1
    features = torch.randn(3, 6, 6, generator=generator)
    features[0] = shares + noise * torch.randn(6, 6, generator=generator)
    return describe(features, shares, of)


def test_the_gradient_is_zero_at_the_answer():
    given = [draw(seed, seed, noise=1) for seed in range(4)]
    scorer = fit_scorer(given, 0.3)
    gradient = 0.3 * scorer.weight.double()
    residual = 0.0
    for one in given:
        off = (scorer.score(one.features).sigmoid() - one.shares).double() / (4 * 36)
        gradient = gradient + torch.einsum("chw,hw->c", one.features.double(), off)
        residual += off.sum()
    assert gradient.abs().max() < 1e-5
    assert abs(residual) < 1e-5


def test_without_anything_to_see_the_bias_is_the_log_odds_of_the_masks():
    """A quarter of the cells: log(1/3); shares of cells count as such."""
    shares = torch.full((4, 4), 0.25)
    scorer = fit_scorer([describe(torch.zeros(2, 4, 4), shares)], 1.0)
    assert scorer.bias == pytest.approx(np.log(1 / 3), abs=1e-4)
    assert scorer.weight.abs().max() == 0


def test_every_mask_has_one_vote_whatever_its_cells_and_mirror_images():
    """Of two pictures, one all object and one all ground: even odds, though one has more cells and a mirror image."""
    small, large = describe(torch.zeros(1, 2, 2), torch.ones(2, 2), 0), describe(torch.zeros(1, 8, 8), torch.zeros(8, 8), 1)
    assert fit_scorer([small, large, large], 1.0).bias == pytest.approx(0, abs=1e-4)


def test_masks_that_are_left_out_are_found_where_they_can_be():
    found = fit_to_masks([draw(seed, seed) for seed in range(6)], [0.01, 1.0])
    assert found.iou.shape == found.length_iou.shape == (6,)
    assert found.iou.min() > 0.95
    noise = [describe(torch.randn(3, 6, 6), draw(seed, seed).shares, seed) for seed in range(6)]
    assert fit_to_masks(noise, [0.01, 1.0]).iou.mean() < 0.6


def test_a_mask_has_no_say_in_its_own_figure():
    """One picture shows the opposite of the others: by itself it would be fitted, left out it is missed."""
    given = [draw(seed, seed) for seed in range(5)]
    odd = draw(9, 5)
    odd = odd._replace(features=torch.cat([1 - odd.features[:1], odd.features[1:]]))
    found = fit_to_masks([*given, odd], [0.01])
    assert found.iou[:5].min() > 0.9
    assert found.iou[5] < 0.3


def test_the_ridge_is_chosen_by_masks_that_were_left_out():
    """Forty channels of noise and ten cells a picture of signal: held back less, the scorer learns the noise by heart."""

    def noisy(seed):
        one = draw(seed, seed, noise=1.0)
        more = torch.randn(40, 6, 6, generator=torch.Generator().manual_seed(100 + seed))
        return one._replace(features=torch.cat([one.features[:1], more]))

    given = [noisy(seed) for seed in range(4)]
    assert fit_to_masks(given, [1e-6, 0.3]).ridge == 0.3


def test_a_single_mask_leaves_nothing_to_be_said():
    found = fit_to_masks([draw(0, 0)], [0.1, 0.3, 1.0])
    assert np.isnan(found.iou).all()
    assert found.ridge == 0.3


def test_shares_of_cells_in_their_place():
    """Two cells of four pixels, shifted by two: the mask's six pixels cover half of the first and all of the second."""
    mask = torch.zeros(4, 8, dtype=torch.bool)
    mask[:, 2:] = True
    shares = average_in_cells(mask, place_evenly((1, 2)), (1, 2))
    torch.testing.assert_close(shares, torch.tensor([[0.5, 1.0]]))
