"""A compatibility function of one's own."""

import torch
from torch import nn
from torch.nn.functional import normalize

from lta.layers.compatibility import Compatibility


class Cosine(Compatibility):
    """The cosine of the angle between l_i and g, times a learned temperature."""

    separable = False  # the query acts

    def __init__(self, channels: int, temperature: float = 5.0):
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(temperature))

    def score(self, positions, query):
        cosines = normalize(positions.float(), dim=-1) @ normalize(query, dim=-1).unsqueeze(-1)
        return self.temperature * cosines.squeeze(-1)
