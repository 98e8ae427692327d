"""Changes of maps with a known answer; the derivative against finite differences."""

import numpy as np
import pytest
import torch

from lta.layers.attention import Attention
from lta.layers.compatibility import Additive, DotProduct, Parametrised
from lta.measures.map_change import gain, map_change


def test_a_map_that_stays_has_not_changed():
    attn = torch.rand(5, 4, 6)
    change = map_change(attn, attn.clone())
    assert change.tv.tolist() == [0] * 5
    assert change.total.tolist() == [0] * 5
    torch.testing.assert_close(change.correlation, torch.ones(5))
    torch.testing.assert_close(change.rank_correlation, torch.ones(5))


def test_all_attention_elsewhere():
    before, after = torch.zeros(1, 2, 2), torch.zeros(1, 2, 2)
    before[0, 0, 0] = after[0, 1, 1] = 1
    change = map_change(before, after)
    assert change.tv.item() == 1
    assert change.correlation.item() == pytest.approx(-1 / 3)


def test_a_steeper_map_has_the_same_ranks_and_more_mass_moved():
    before = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]) / 10
    change = map_change(before, before**3)
    assert change.rank_correlation.item() == pytest.approx(1)
    assert change.correlation.item() == pytest.approx(np.corrcoef([1, 2, 3, 4], [1, 8, 27, 64])[0, 1], abs=1e-6)
    assert change.tv.item() == pytest.approx(0.24)  # 0.1, 0.2, 0.3, 0.4 become 0.01, 0.08, 0.27, 0.64
    assert map_change(before, before.flip(2)).rank_correlation.item() == pytest.approx(-1)


def test_ranks_of_ties_are_their_mean():
    """scipy.stats.spearmanr([1, 1, 2, 3], [1, 2, 2, 4])"""
    change = map_change(torch.tensor([[[1.0, 1.0, 2.0, 3.0]]]), torch.tensor([[[1.0, 2.0, 2.0, 4.0]]]))
    assert change.rank_correlation.item() == pytest.approx(0.8333333, abs=1e-6)


def test_with_a_uniform_map_nothing_correlates():
    change = map_change(torch.rand(2, 3, 3), torch.full((2, 3, 3), 1 / 9))
    assert change.correlation.isnan().all()
    assert change.rank_correlation.isnan().all()
    assert (change.tv > 0).all()


def test_a_gate_that_opens_everywhere_moves_nothing_but_its_sum():
    before = torch.rand(3, 4, 4)
    change = map_change(before, 1.5 * before)
    torch.testing.assert_close(change.tv, torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(change.total, torch.full((3,), 0.5))


@pytest.mark.parametrize("normaliser", ["softmax", "sigmoid"])
@pytest.mark.parametrize("compat", [DotProduct, Parametrised, Additive])
def test_gain_is_the_derivative(compat, normaliser):
    torch.manual_seed(0)
    unit = Attention(compat(6), normaliser).double()
    for parameter in unit.parameters():
        torch.nn.init.normal_(parameter)
    local, g, direction = torch.randn(4, 6, 3, 5).double(), torch.randn(4, 6).double(), torch.randn(4, 6).double()

    def read(query):
        return {"C": unit(local, query).attn}

    found = gain(read, g, direction)["C"]
    step = direction * g.norm(dim=1, keepdim=True) / direction.norm(dim=1, keepdim=True)
    h = 1e-5
    slope = (read(g + h * step)["C"] - read(g - h * step)["C"]).flatten(1).norm(dim=1) / (2 * h)
    torch.testing.assert_close(found, slope / read(g)["C"].flatten(1).norm(dim=1), rtol=1e-7, atol=1e-9)
    if compat is Parametrised and normaliser == "softmax":
        assert found.max() < 1e-12
    else:
        assert found.min() > 0.01
    torch.testing.assert_close(gain(read, g, 7 * direction)["C"], found)


def test_gain_at_a_zero_query_is_zero():
    unit = Attention(DotProduct(2))
    local = torch.randn(1, 2, 3, 3)
    found = gain(lambda g: {"C": unit(local, g).attn}, torch.zeros(1, 2), torch.randn(1, 2))
    assert found["C"].tolist() == [0]
