"""Roles of maps that are not as maps usually are."""

import torch

from lta.measures.roles import role_mass


def test_a_map_that_is_zero_everywhere_counts_as_uniform():
    covered = torch.zeros(2, 3, 2, 2)
    covered[:, 0], covered[:, 2, 0, 0], covered[:, 0, 0, 0] = 1.0, 1.0, 0.0
    attn = torch.stack([torch.zeros(2, 2), torch.tensor([[1e-30, 0.0], [0.0, 1e-30]])])  # a gate shut, and all but shut
    torch.testing.assert_close(role_mass(attn, covered), torch.tensor([[0.75, 0.0, 0.25], [0.5, 0.0, 0.5]]))
