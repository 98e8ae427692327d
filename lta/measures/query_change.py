"""How much a map, or a prediction, changes with its query."""

import warnings
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp

from lta.measures.map_statistics import distribution


def rank_correlation(
    map_a: Float[Tensor, "batch height width"], map_b: Float[Tensor, "batch height width"]
) -> Float[Tensor, " batch"]:
    """Spearman's, -1 to 1, over positions; ties have their mean rank. NaN where either map is constant."""
    return correlation(_ranks(map_a.flatten(1)), _ranks(map_b.flatten(1)))


def correlation(a: Float[Tensor, "batch values"], b: Float[Tensor, "batch values"]) -> Float[Tensor, " batch"]:
    """Pearson's, in double precision; NaN where either row is constant."""
    a, b = (x.double() - x.double().mean(1, keepdim=True) for x in (a, b))
    scale = (a.square().sum(1) * b.square().sum(1)).sqrt()
    return torch.where(scale > 0, (a * b).sum(1) / torch.where(scale > 0, scale, 1), torch.nan).clamp(-1, 1)


def sensitivity(
    attend: Callable[[Tensor], Tensor], query: Float[Tensor, "batch channels"], direction: Float[Tensor, "batch channels"]
) -> Float[Tensor, " batch"]:
    """The first-order share of attention that moves when the query changes by its own length along `direction`.

    `|d map / d g . v|_1 / 2` with v scaled to the length of g, the map scaled to sum 1: exact (a Jacobian-vector
    product). 0 where the map ignores the query, or the query is zero.
    """
    length = direction.norm(dim=1, keepdim=True)
    scaled = direction / torch.where(length > 0, length, 1) * query.norm(dim=1, keepdim=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch's own, about its derivatives
        _, change = jvp(lambda g: distribution(attend(g)), (query,), (scaled,))
    return change.abs().sum((1, 2)) / 2


def _ranks(values: Float[Tensor, "batch values"]) -> Float[Tensor, "batch values"]:
    ordered = values.sort(1).values.contiguous()
    below = torch.searchsorted(ordered, values.contiguous(), right=False)
    up_to = torch.searchsorted(ordered, values.contiguous(), right=True)
    return (below + up_to - 1).double() / 2
