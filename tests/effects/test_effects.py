"""Each effect where it can be exact: what it leaves alone, and what it does at full strength."""

import pytest
import torch

from lta.effects.autoblur import autoblur
from lta.effects.blurout import WHOLE, blurout, pixelate_image
from lta.effects.crop import crop, ratio, window
from lta.effects.cutout import cutout
from lta.effects.heatmap import heatmap
from lta.effects.lens import defocus
from lta.effects.light import desaturate, spotlight
from lta.viz.colour import colour_table

PICTURE = torch.randint(0, 256, (3, 60, 90), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
ALL, NONE = torch.ones(60, 90), torch.zeros(60, 90)
HALF = NONE.clone()
HALF[:, :45] = 1


def test_autoblur_leaves_what_is_attended_and_blurs_the_rest_as_a_lens():
    assert torch.equal(autoblur(PICTURE, ALL), PICTURE)
    assert torch.equal(autoblur(PICTURE, NONE, radius=0.1), defocus(PICTURE, ALL, 0.1)), "the plain blur"
    assert torch.equal(autoblur(PICTURE, HALF, radius=0.1)[:, :, :45], PICTURE[:, :, :45])
    assert torch.equal(autoblur(PICTURE, NONE, strength=0), PICTURE)


@pytest.mark.parametrize("how", ["blur", "pixelate", "fill"])
def test_blurout_is_the_inverse(how):
    assert torch.equal(blurout(PICTURE, NONE, how=how), PICTURE)
    out = blurout(PICTURE, HALF, how=how, colour=(1, 2, 3))
    assert torch.equal(out[:, :, 45:], PICTURE[:, :, 45:])
    assert (out[:, :, :45] != PICTURE[:, :, :45]).float().mean() > 0.9
    if how == "fill":
        assert torch.equal(out[:, 0, 0], torch.tensor([1, 2, 3], dtype=torch.uint8)), "nothing is left"
        assert out[:, :, :45].flatten(1).unique(dim=1).shape == (3, 1)


def test_squares_have_the_mean_of_what_they_cover():
    squares = pixelate_image(PICTURE, 0.1)  # 12 pixels
    assert torch.equal(
        squares[:, :12, :12].flatten(1).unique(dim=1)[:, 0], PICTURE[:, :12, :12].float().mean((1, 2)).round()
    )
    assert torch.equal(
        squares[:, 48:, 84:], PICTURE[:, 48:, 84:].float().mean((1, 2)).round()[:, None, None].expand(3, 12, 6)
    )
    alpha = torch.zeros(60, 90, dtype=torch.uint8)
    alpha[3, 4] = 255
    assert torch.equal(pixelate_image(PICTURE, 0.1, alpha)[:, 0, 0], PICTURE[:, 3, 4]), "of what can be seen"


def test_light_and_colour_go_where_nothing_is_attended():
    assert torch.equal(spotlight(PICTURE, ALL), PICTURE)
    assert spotlight(PICTURE, NONE, strength=1.0).max() == 0
    dark = spotlight(PICTURE, NONE, strength=0.75)
    assert (dark.float() - PICTURE / 4).abs().max() <= 0.5
    assert torch.equal(desaturate(PICTURE, ALL), PICTURE)
    grey = desaturate(PICTURE, NONE)
    assert torch.equal(grey[0], grey[1])
    luma = (PICTURE.double() * torch.tensor([0.299, 0.587, 0.114]).double()[:, None, None]).sum(0)
    assert (grey[0] - luma).abs().max() < 1.1


def test_the_heatmap_is_the_table_of_colours():
    shown = heatmap(PICTURE, HALF, strength=1.0)
    assert shown[:, 0, 0].tolist() == colour_table("inferno")[255].tolist()
    assert shown[:, 0, 80].tolist() == colour_table("inferno")[0].tolist()


def test_the_cutout_is_transparent_where_nothing_is_attended():
    out = cutout(PICTURE, HALF)
    assert torch.equal(out[:3], PICTURE)
    assert (out[3, :, :45].unique().tolist(), out[3, :, 45:].unique().tolist()) == ([255], [0])
    alpha = torch.full((60, 90), 100, dtype=torch.uint8)
    assert cutout(PICTURE, HALF, alpha)[3].unique().tolist() == [0, 100], "never more than the picture's own"
    assert cutout(PICTURE, NONE, alpha, strength=0.0)[3].unique().tolist() == [100]


def test_the_crop_holds_the_attention_at_its_aspect():
    attention = NONE.clone()
    attention[20:30, 60:70] = 1
    out = crop(PICTURE, attention, aspect="1:1", keep=1.0)
    top, left, rows, columns = window(attention, 1.0, 1.0)
    assert rows == columns == out.shape[1] == out.shape[2]
    assert attention[top : top + rows, left : left + columns].sum() == 100, "all of it"
    assert rows <= 13, "and no more than is needed"
    assert torch.equal(out, PICTURE[:, top : top + rows, left : left + columns])
    wide = crop(PICTURE, ALL, aspect="3:1", keep=1.0)
    assert wide.shape == (3, 30, 90), "the largest"
    assert torch.equal(wide, PICTURE[:, 15:45]), "from the middle, where all is alike"
    alpha = torch.full((60, 90), 7, dtype=torch.uint8)
    assert crop(PICTURE, attention, alpha, aspect="1:1").shape[0] == 4
    assert crop(PICTURE, NONE).shape[1:] == crop(PICTURE, ALL).shape[1:]
    assert ratio(None, (60, 90)) == 1.5


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: autoblur(PICTURE, ALL, strength=1.5), "strength=1.5 must be a number from 0 to 1"),
        (lambda: blurout(PICTURE, ALL, how="smear"), "how=smear is unknown; choose one of blur, pixelate, fill"),
        (lambda: blurout(PICTURE, ALL, how="fill", colour=(1, 2)), r"colour=\[1, 2\] must be red, green and blue"),
        (lambda: crop(PICTURE, ALL, aspect="wide"), "aspect=wide must be width:height"),
        (lambda: crop(PICTURE, ALL, aspect="0:1"), "aspect=0:1 must be width:height"),
        (lambda: crop(PICTURE, ALL, keep=2.0), "keep=2.0 must be a number from 0 to 1"),
    ],
)
def test_what_can_be_wrong(call, says):
    with pytest.raises(ValueError, match=says):
        call()


@pytest.mark.parametrize("how", ["pixelate", "fill"])
def test_who_is_found_with_some_doubt_is_hidden_all_the_same(how):
    """A network that finds a person gives 0.9 inside: a veil of 90 % would leave every contour to a stretch of contrast."""
    sure = blurout(PICTURE, ALL, how=how)
    assert torch.equal(blurout(PICTURE, 0.5 * ALL, how=how), sure)
    assert torch.equal(blurout(PICTURE, 0.9 * ALL, how=how), sure)
    at_the_border = blurout(PICTURE, 0.25 * ALL, how=how).float()
    assert (at_the_border - (PICTURE.float() + sure) / 2).abs().max() <= 0.5


def test_what_is_filled_says_nothing_of_what_was_there():
    """Two pictures that differ wherever half or more of a pixel is attended, and there alone, become one."""
    random = torch.Generator().manual_seed(1)
    attention = torch.rand(60, 90, generator=random)
    hidden = attention >= WHOLE
    others = torch.randint(0, 256, PICTURE.shape, dtype=torch.uint8, generator=random)
    alpha, seen = torch.randint(0, 256, (2, 60, 90), dtype=torch.uint8, generator=random)
    one, other = (
        blurout(pixels, attention, shown, how="fill", colour=(9, 8, 7))
        for pixels, shown in ((PICTURE, alpha), (torch.where(hidden, others, PICTURE), torch.where(hidden, seen, alpha)))
    )
    assert torch.equal(one, other)
    assert one[:, hidden].unique(dim=1).flatten().tolist() == [9, 8, 7, 255], "nor by how transparent it was"
    assert torch.equal(blurout(PICTURE, NONE, alpha, how="fill")[3], alpha)
    for how in ("blur", "pixelate"):  # they do: what the page says of them
        pair = [blurout(pixels, attention, how=how) for pixels in (PICTURE, torch.where(hidden, others, PICTURE))]
        assert not torch.equal(*pair), how


def test_the_heatmap_of_a_weak_or_empty_mask_is_weak_or_empty():
    table = colour_table("inferno")
    assert heatmap(PICTURE, NONE, strength=1.0)[:, 5, 5].tolist() == table[0].tolist()
    assert heatmap(PICTURE, 0.2 * ALL, strength=1.0)[:, 5, 5].tolist() == table[51].tolist()
