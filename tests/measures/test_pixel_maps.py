"""Maps on a picture's pixels, in cases whose answer is known."""

import torch

from lta.measures.pixel_maps import combine, density, enlarge_map, product


def test_a_delta_stays_where_it_was():
    middle = torch.zeros(1, 5, 5)
    middle[0, 2, 2] = 1
    enlarged = enlarge_map(middle, (20, 20))[0]
    for flipped in (enlarged.flip(0), enlarged.flip(1)):
        torch.testing.assert_close(enlarged, flipped)
    assert divmod(enlarge_map(torch.eye(4)[None] * torch.tensor([0, 0, 0, 1.0]), (16, 16)).argmax().item(), 16) == (14, 14)


def test_the_product_keeps_small_weights_apart():
    tiny = torch.tensor([[[1.0, 1e-30], [1e-31, 0.0]]])
    values = product([tiny, tiny, tiny]).flatten()
    assert values[0] > values[1] > values[2] > values[3] == 0
    assert torch.equal(product([torch.zeros(1, 2, 2), tiny]), product([tiny]))


def test_a_density_has_mean_1_and_a_map_without_preference_is_flat():
    maps = torch.rand(4, 5, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(density(maps, (32, 20)).mean((1, 2)), torch.ones(4))
    for flat in (torch.zeros(1, 5, 5), torch.full((1, 5, 5), 0.04)):
        assert torch.equal(density(flat, (33, 47)), torch.ones(1, 33, 47))


def test_combinations_by_hand():
    one, other = (torch.tensor([[values]]) for values in ([0.5, 1.5], [1.5, 0.5]))
    assert torch.equal(combine([one, other], "product"), torch.ones(1, 1, 2))
    assert torch.equal(combine([one, other], "mean"), torch.ones(1, 1, 2))
    torch.testing.assert_close(combine([one, one], "product"), torch.tensor([[[0.2, 1.8]]]))
    torch.testing.assert_close(combine([one, torch.tensor([[[1.9, 0.1]]])], "max"), torch.tensor([[[1.9, 1.5]]]) / 1.7)
