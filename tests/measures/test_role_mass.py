"""Roles of maps that are not as maps usually are."""

import numpy as np
import pytest
import torch

from lta.measures.roles import density, density_draws, role_mass


def test_a_map_that_is_zero_everywhere_counts_as_uniform():
    covered = torch.zeros(2, 3, 2, 2)
    covered[:, 0], covered[:, 2, 0, 0], covered[:, 0, 0, 0] = 1.0, 1.0, 0.0
    attn = torch.stack([torch.zeros(2, 2), torch.tensor([[1e-30, 0.0], [0.0, 1e-30]])])  # a gate shut, and all but shut
    torch.testing.assert_close(role_mass(attn, covered), torch.tensor([[0.75, 0.0, 0.25], [0.5, 0.0, 0.5]]))


def test_density_is_a_sum_over_a_sum():
    """Not a mean of ratios, in which a tiny object would count most."""
    mass, area = np.array([0.5, 0.5]), np.array([0.1, 0.5])
    assert density(mass, area) == pytest.approx(1 / 0.6)
    draws = density_draws(mass[:, None], area[:, None], np.arange(2), resamples=200)[:, 0]
    assert {round(value, 6) for value in draws} == {5.0, round(1 / 0.6, 6), 1.0}
