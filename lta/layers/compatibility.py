"""Compatibility functions: how well a position's local feature fits the query (paper, section 2.1). Scores only."""

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta import checks
from lta.layers.inner_product import inner_product
from lta.layers.precision import to_full_precision, without_autocast


class Compatibility(nn.Module, ABC):
    """Scores every position of `local_feat` against `global_feat`; both have the same number of channels.

    Scores are computed in float32 also under autocast: a softmax over up to 1024 positions amplifies rounding.
    """

    separable: ClassVar[bool]
    """Whether score = f(local) + h(query). A softmax over positions cancels h: the query is then inert."""
    reads_query: ClassVar[bool] = True
    """Whether the score depends on the query at all. Where it does not, the query is inert under any normaliser."""
    learned: ClassVar[bool] = True
    """Whether training is to make scores better: False for the controls."""

    def forward(
        self, local_feat: Float[Tensor, "batch channels height width"], global_feat: Float[Tensor, "batch channels"] | None
    ) -> Float[Tensor, "batch height width"]:
        """`global_feat=None` leaves the query out, which only a separable score allows."""
        assert global_feat is not None or self.separable, f"{type(self).__name__} needs the query"
        with without_autocast(local_feat):
            # With channels_last storage this is a view: (batch, positions, channels), contiguous.
            positions = local_feat.flatten(2).transpose(1, 2)
            query = None if global_feat is None else to_full_precision(global_feat)
            return self.score(positions, query).unflatten(1, local_feat.shape[2:])

    @abstractmethod
    def score(
        self, positions: Float[Tensor, "batch positions channels"], query: Float[Tensor, "batch channels"] | None
    ) -> Float[Tensor, "batch positions"]:
        """`positions` in the precision that they come in, the query and the result in full precision."""


class DotProduct(Compatibility):
    """`dp`: <l_i, g>, no parameters, no scale (paper, equation 4). `scaled` divides by sqrt(channels): not in the paper."""

    separable = False

    def __init__(self, channels: int, scaled: bool = False):
        super().__init__()
        checks.require_flag("compat.scaled", scaled)
        self.scale = 1 / math.sqrt(channels) if scaled else 1.0

    def score(self, positions, query):
        """The inner product of each position with the query, times the scale."""
        assert query is not None
        return inner_product(positions, query * self.scale)


class Parametrised(Compatibility):
    """`pc`: <u, l_i + g> + b (paper, equation 3; the authors' 1x1 convolution has the bias b).

    Written as <u, l_i> + (<u, g> + b), which is the same number without the sum l_i + g in memory. The second term is
    one constant per image, so that a softmax over positions cancels it: with softmax this score ignores the query.
    """

    separable = True

    def __init__(self, channels: int):
        super().__init__()
        self.scorer = Scorer(channels)

    def score(self, positions, query):
        """u . l_i + u . g + b, in two parts: the second is the same for all positions of an image. Without a query, the
        first and b."""
        scores = inner_product(positions, self.scorer.weight) + self.scorer.bias
        return scores if query is None else scores + (query @ self.scorer.weight).unsqueeze(1)


class Additive(Compatibility):
    """`additive`: <u, tanh(l_i + g)> + b (Bahdanau et al. 2015). Not in the paper: pc with a query that acts."""

    separable = False

    def __init__(self, channels: int):
        super().__init__()
        self.scorer = Scorer(channels)

    def score(self, positions, query):
        """u . tanh(l_i + g) + b."""
        assert query is not None
        return torch.tanh(to_full_precision(positions) + query.unsqueeze(1)) @ self.scorer.weight + self.scorer.bias


class Uniform(Compatibility):
    """`uniform`: every score is 0. A control: with softmax a level's descriptor is its average over all positions."""

    separable = True
    reads_query = False
    learned = False

    def __init__(self, channels: int):
        super().__init__()

    def score(self, positions, query):
        """Zeros: after a softmax, each position has the same weight."""
        scores = positions.new_zeros(positions.shape[:2], dtype=torch.promote_types(positions.dtype, torch.float32))
        # The branch that makes the query stays in the graph, as with pc: DDP waits for a gradient of each parameter.
        return scores if query is None else scores + 0 * query.sum(1, keepdim=True)


class Frozen(Compatibility):
    """`frozen`: <u, l_i + g> with a random u that is never trained. A control: pc without the learning of u.

    u is drawn from torch's global generator, N(0, scale^2 / channels) for each weight, so that the scores of features with
    variance 1 have standard deviation `scale`. It is a buffer: kept in checkpoints, no parameter, not touched by
    `model.init`. The trunk is trained all the same, and may learn features that this u scores usefully.
    """

    separable = True
    learned = False

    def __init__(self, channels: int, scale: float = 2.0):
        super().__init__()
        checks.require_number("compat.scale", scale, 0, 100, without_low=True)
        self.weight: Tensor
        self.register_buffer("weight", torch.randn(channels) * scale / math.sqrt(channels))

    def score(self, positions, query):
        """u . l_i + u . g, where u is not trained."""
        scores = inner_product(positions, self.weight)
        return scores if query is None else scores + (query @ self.weight).unsqueeze(1)


class Scorer(nn.Module):
    """The learnt direction u and its bias b; a module of its own, so that initialisation finds every scorer."""

    def __init__(self, channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(()))
