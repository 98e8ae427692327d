"""Correlations against scipy, derivatives against differences."""

import numpy as np
import pytest
import scipy.stats
import torch

from lta.layers.attention import Attention
from lta.layers.compatibility import Additive, DotProduct, Parametrised
from lta.measures.map_statistics import distribution
from lta.measures.query_change import correlation, rank_correlation, sensitivity


def test_correlations_are_scipys():
    a, b = torch.rand(5, 6, 7), torch.rand(5, 6, 7)
    b[0, :3] = 0.5  # ties
    for i in range(5):
        one, other = a[i].flatten().numpy(), b[i].flatten().numpy()
        assert rank_correlation(a, b)[i].item() == pytest.approx(scipy.stats.spearmanr(one, other).statistic, abs=1e-9)
        pearson = scipy.stats.pearsonr(one.astype(float), other.astype(float)).statistic
        assert correlation(a.flatten(1), b.flatten(1))[i].item() == pytest.approx(pearson, abs=1e-9)
    assert np.isnan(correlation(torch.ones(1, 4), torch.rand(1, 4)).item())


@pytest.mark.parametrize("compat", [DotProduct(6), Additive(6), Parametrised(6)])
def test_sensitivity_is_the_derivative(compat):
    torch.manual_seed(0)
    unit = Attention(compat).double()
    for parameter in unit.parameters():
        torch.nn.init.normal_(parameter)
    local, query, direction = (torch.randn(*shape, dtype=torch.float64) for shape in ((3, 6, 4, 4), (3, 6), (3, 6)))

    def attend(g):
        return unit(local, g).attn

    step = 1e-6 * direction / direction.norm(dim=1, keepdim=True) * query.norm(dim=1, keepdim=True)
    with torch.no_grad():
        found = sensitivity(attend, query, direction)
        moved = (distribution(attend(query + step)) - distribution(attend(query - step))).abs().sum((1, 2)) / 2 / 2e-6
    torch.testing.assert_close(found, moved, rtol=1e-5, atol=1e-9)
    if isinstance(compat, Parametrised):
        assert found.max() < 1e-12
    else:
        assert found.min() > 1e-3


def test_a_query_of_zero_moves_nothing():
    unit = Attention(DotProduct(6))
    local = torch.randn(2, 6, 4, 4)
    assert sensitivity(lambda g: unit(local, g).attn, torch.zeros(2, 6), torch.randn(2, 6)).tolist() == [0, 0]
