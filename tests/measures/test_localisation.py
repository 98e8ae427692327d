"""Scores of maps whose answer is known in closed form."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from lta.measures.intervals import difference, mean
from lta.measures.localisation import THRESHOLDS, chance_iou, cross_fit_thresholds, halves, iou_by_threshold, score
from lta.measures.pixel_maps import COMBINATIONS, combine, density


def made_masks(count=20, size=(24, 32), seed=0):
    """Rectangles of many sizes."""
    rng = np.random.default_rng(seed)
    masks = torch.zeros(count, *size, dtype=torch.bool)
    for mask in masks:
        height, width = rng.integers(2, 12, 2)
        top, left = rng.integers(0, size[0] - height + 1), rng.integers(0, size[1] - width + 1)
        mask[top : top + height, left : left + width] = True
    return masks


def test_a_map_equal_to_the_mask_scores_one_everywhere():
    masks = made_masks()
    found = score(density(0.003 * masks.float(), (24, 32)), masks)
    for values in (found.pointing, found.energy, found.auc, found.iou):
        assert values == pytest.approx(1)
    assert found.iou.shape == (20, len(THRESHOLDS))


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 48, 7e-20])
@pytest.mark.parametrize("size", [(6, 8), (7, 5), (24, 32)])
def test_a_uniform_map_scores_the_area_share(size, value):
    """At any resolution: enlarging must not make differences where there are none."""
    masks = made_masks()
    area = masks.flatten(1).double().mean(1).numpy()
    found = score(density(torch.full((20, *size), value), (24, 32)), masks)
    assert found.pointing == pytest.approx(area)
    assert found.energy == pytest.approx(area)
    assert (found.auc == 0.5).all()
    assert found.iou == pytest.approx(np.tile(area[:, None], (1, len(THRESHOLDS))))
    assert (found.taken == 1).all()


def test_a_delta_stays_centred():
    """Cell 3 of 8 stands for pixels 12 to 15 of 32, whose middle is 13.5."""
    attn = torch.zeros(1, 8, 8)
    attn[0, 3, 5] = 1
    pixels = density(attn, (32, 32))[0]
    at = torch.arange(32.0)
    assert ((pixels.sum(1) * at).sum() / pixels.sum()).item() == pytest.approx(13.5)
    assert ((pixels.sum(0) * at).sum() / pixels.sum()).item() == pytest.approx(21.5)
    highest = (pixels == pixels.max()).nonzero()
    assert highest.float().mean(0).tolist() == [13.5, 21.5]


def test_four_by_four_by_hand():
    """The object is the upper left quarter. Map: 8 and 4 on it, 8 and 2 beside it, else 0, so 4 / 8 of the range is 0.5."""
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :2, :2] = True
    attn = torch.zeros(1, 4, 4)
    attn[0, 0, 0], attn[0, 1, 1], attn[0, 0, 3], attn[0, 3, 3] = 8, 4, 8, 2
    found = score(density(attn, (4, 4)), mask)
    assert found.pointing == pytest.approx(1 / 2)
    assert found.energy == pytest.approx(12 / 22)
    # Of 4 x 12 pairs: 8 beats all but one (11, and half of it), 4 beats all but one (11), two zeros tie with ten others.
    assert found.auc == pytest.approx((11 + 0.5 + 11 + 2 * 5) / 48)
    iou = dict(zip(THRESHOLDS, found.iou[0], strict=True))
    assert found.taken[0, 0] == 4 / 16
    for threshold, value in iou.items():
        assert value == pytest.approx(2 / 6 if threshold <= 2 / 8 else 2 / 5 if threshold <= 4 / 8 else 1 / 5), threshold


def test_auc_is_scikit_learns():
    rng = np.random.default_rng(0)
    masks = made_masks(size=(13, 14))
    pixels = torch.from_numpy(rng.integers(0, 6, masks.shape).astype(np.float32))  # many ties
    expected = [roc_auc_score(mask.flatten(), one.flatten()) for mask, one in zip(masks, pixels, strict=True)]
    assert score(pixels, masks).auc == pytest.approx(expected)


def test_an_object_that_covers_the_picture_has_no_auc():
    masks = torch.ones(2, 4, 4, dtype=torch.bool)
    masks[1, 0, 0] = False
    found = score(density(torch.rand(2, 4, 4, generator=torch.Generator().manual_seed(0)), (4, 4)), masks)
    assert np.isnan(found.auc).tolist() == [True, False]
    assert mean(found.auc)["n"] == 1


def test_combinations_do_not_depend_on_scale():
    first, second = torch.tensor([[[1.0, 3.0]]]), torch.tensor([[[6.0, 2.0]]])  # mean 1: 0.5, 1.5 and 1.5, 0.5
    expected = {"product": [1.0, 1.0], "mean": [1.0, 1.0], "max": [1.0, 1.0]}
    third = torch.tensor([[[1.0, 1.0]]])
    for how in COMBINATIONS:
        pixels = [density(one, (1, 2)) for one in (first, 100 * second)]
        assert combine(pixels, how).flatten().tolist() == pytest.approx(expected[how])
    pixels = [density(one, (1, 2)) for one in (first, third)]
    assert combine(pixels, "product").flatten().tolist() == pytest.approx([0.5, 1.5])
    assert combine(pixels, "mean").flatten().tolist() == pytest.approx([0.75, 1.25])
    assert combine(pixels, "max").flatten().tolist() == pytest.approx([0.8, 1.2])


def test_random_pixels_score_what_chance_says():
    rng = np.random.default_rng(0)
    mask = torch.zeros(400, 32, 32, dtype=torch.bool)
    mask[:, 5:15, 3:20] = True
    values = torch.from_numpy(rng.permuted(np.tile(np.linspace(0, 1, 1024, dtype=np.float32), (400, 1)), axis=1))
    iou, taken = iou_by_threshold(values.view(400, 32, 32), mask)
    expected = chance_iou(taken, np.full(400, 170 / 1024))
    large = taken[0] > 0.05
    assert iou.mean(0)[large] == pytest.approx(expected.mean(0)[large], rel=0.02)


def test_no_image_has_a_say_in_its_own_threshold():
    half = np.array([True, True, False, False])
    iou = np.zeros((4, 3))
    iou[half, 0] = 1  # what would be best for the first half
    iou[~half, 2] = 1
    assert cross_fit_thresholds(iou, half).tolist() == [2, 2, 0, 0]


def test_halves_keep_groups_together():
    groups = np.repeat(np.arange(31), 4)
    half = halves(len(groups), groups, seed=0)
    assert all(len(set(half[groups == group])) == 1 for group in range(31))
    assert half.sum() == 15 * 4
    assert (half != halves(len(groups), groups, seed=1)).any()
    with pytest.raises(ValueError, match="1 sources"):
        halves(4, np.zeros(4, np.int64), seed=0)
    with pytest.raises(ValueError, match="1 images"):
        halves(1, None, seed=0)


def test_intervals_contain_the_truth():
    """Maps that hit with probability 0.7 against a control that hits with 0.5: in about 95 of 100 experiments."""
    inside = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        ours, others = (rng.random(300) < 0.7).astype(float), (rng.random(300) < 0.5).astype(float)
        low, high = difference(ours, others)["interval"]
        inside += low <= 0.2 <= high
    assert 88 <= inside <= 100
