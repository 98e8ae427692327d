"""Orders of pixels: uniform maps follow chance alone, areas are exact, no half-pixel shift."""

import torch

from lta.measures.pixel_maps import enlarge_map, product
from lta.measures.pixel_order import centrality, ranks, select_highest, select_lowest, tie_order


def ties(images=3, pixels=64, seed=0):
    return tie_order(images, pixels, torch.Generator().manual_seed(seed))


def test_ranks_by_hand():
    values = torch.tensor([[[0.1, 0.4], [0.3, 0.2]]])
    assert ranks(values, ties(1, 4)).tolist() == [[[3, 0], [1, 2]]]


def test_equal_pixels_follow_the_ties_which_differ_between_images():
    given = ties()
    ranked = ranks(torch.full((3, 8, 8), 0.2), given).flatten(1)
    assert torch.equal(ranked.argsort(1), given)
    assert not torch.equal(given[0], given[1])
    halves = torch.zeros(3, 8, 8)
    halves[:, :4] = 1
    ranked = ranks(halves, given)
    assert (ranked[:, :4] < 32).all()
    for one, order in zip(ranked, given, strict=True):
        assert torch.equal(one.flatten().argsort()[:32], order[order < 32])


def test_a_uniform_map_stays_uniform_at_every_size():
    """Whatever the interpolation rounds: otherwise its pixels would be ranked by their place."""
    for rows, size in ((8, (32, 32)), (7, (32, 32)), (16, (80, 80)), (5, (33, 47))):
        for value in (1 / 49, 1 / 3, 0.1, 1e-7):
            enlarged = enlarge_map(torch.full((3, rows, rows), value), size)
            assert enlarged.unique().numel() == 1
            given = ties(3, size[0] * size[1])
            assert torch.equal(ranks(product([enlarged, enlarged]), given), ranks(torch.zeros(3, *size), given))


def test_areas_are_exact():
    ranked = ranks(torch.rand(3, 8, 8), ties())
    for area in (0.0, 0.1, 0.25, 0.5, 0.9, 1.0):
        count = round(64 * area)
        assert (select_highest(ranked, area).sum((1, 2)) == count).all()
        assert (select_lowest(ranked, area).sum((1, 2)) == count).all()
    assert not (select_highest(ranked, 0.5) & select_lowest(ranked, 0.5)).any()


def test_the_centre_comes_first():
    order = centrality((5, 7))[0]
    assert divmod(order.argmax().item(), 7) == (2, 3)
    assert order[2, 2] == order[1, 3] == -1
    assert divmod(centrality((4, 4))[0].argmin().item(), 4) in {(0, 0), (0, 3), (3, 0), (3, 3)}
