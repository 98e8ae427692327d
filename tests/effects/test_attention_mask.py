"""From a map's cells to a picture's pixels."""

import pytest
import torch

from lta.effects.attention_mask import fit_mask_to_image, stretch_values

PICTURE = torch.zeros(3, 96, 120, dtype=torch.uint8)
PICTURE[:, 20:70, 30:80] = 255
OBJECT = (PICTURE[0] > 0).float()


def test_quantiles_are_where_nothing_and_everything_is_attended():
    values = torch.arange(101.0).view(1, 101)
    mask, says_something = stretch_values(values, 0.2, 0.7)
    assert says_something
    assert mask[0, :21].max() == 0
    assert mask[0, 70:].min() == 1
    torch.testing.assert_close(mask[0, 45], torch.tensor(0.5))
    assert stretch_values(torch.full((8, 8), 1 / 64))[0].unique().tolist() == [1], "a map without preference"
    assert not stretch_values(torch.full((8, 8), 1 / 64))[1]
    with pytest.raises(ValueError, match=r"low=0.9 must be below high=0.5"):
        stretch_values(values, 0.9, 0.5)


def test_a_mask_of_the_pictures_own_size_is_not_touched():
    mask = torch.rand(96, 120)
    assert fit_mask_to_image(mask, PICTURE, edges=0) is mask


def test_borders_are_drawn_to_the_pictures_own():
    coarse = torch.nn.functional.avg_pool2d(OBJECT[None, None], 8)[0, 0]  # borders in the middle of its cells
    plain, drawn = fit_mask_to_image(coarse, PICTURE, edges=0), fit_mask_to_image(coarse, PICTURE, edges=0.1)
    for mask, least, most in ((plain, 0, 0.1), (drawn, 0.4, 1)):
        assert least <= mask[45, 30] - mask[45, 29] <= most, "where the object begins"
    assert 0 <= drawn.min() <= drawn.max() <= 1


def test_feathers_are_as_wide_as_asked():
    soft = fit_mask_to_image(OBJECT, PICTURE, edges=0, feather=0.02)  # 1.9 pixels
    assert ((soft > 0) & (soft < 1)).any()
    beyond = fit_mask_to_image(1 - OBJECT, PICTURE, edges=0, feather=0.02)
    assert soft[0, 0] == 0, "three standard deviations away there is none"
    assert soft[45, 55] > 1 - 1e-6
    torch.testing.assert_close(soft + beyond, torch.ones(96, 120), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (5, 5)])
def test_small_pictures(size):
    assert fit_mask_to_image(torch.rand(8, 8), torch.zeros(3, *size, dtype=torch.uint8)).shape == size


def test_what_can_be_wrong():
    with pytest.raises(ValueError, match=r"edges=2 must be a share of the picture's shorter side"):
        fit_mask_to_image(OBJECT, PICTURE, edges=2)


@pytest.mark.parametrize("edges", [0.05, 0.1, 0.2, 1 / 3])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 9, 20, 33, 60])
def test_the_filters_window_is_as_wide_as_asked_or_as_the_picture_allows(monkeypatch, size, edges):
    """Never wider: on small pictures it was."""
    seen = []

    def look(guide, mask, window, *_, subsample, **__):
        seen.append((window, subsample))
        return mask

    monkeypatch.setattr("kornia.filters.guided_blur", look)
    fit_mask_to_image(torch.rand(4, 4), torch.zeros(3, size, size, dtype=torch.uint8), edges=edges)
    ((window, subsample),) = seen
    asked = 2 * max(1, round(edges * size)) + 1
    assert window % 2 == 1
    assert window == asked if size > 2 * asked else window == min(asked, max(1, (size - 1) // 2 * 2 - 1))
    assert subsample == (max(1, asked // 16) if size > 2 * asked else 1)
