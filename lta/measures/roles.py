"""How much attention lies on background, side objects and main object, relative to uniform attention."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from lta.measures.map_statistics import distribution
from lta.measures.placement import Placement, overlap_weights, place_evenly

ROLES = ("background", "side", "main")
"""Names of the values 0, 1, 2 of a role map."""


def coverage(
    roles: UInt8[Tensor, "batch height width"], size: tuple[int, int], placement: Placement | None = None
) -> Float[Tensor, "batch 3 rows columns"]:
    """Share of each cell of a `size` grid, which lies as `placement` says (None: evenly), that each role covers, 0 to 1;
    over the roles they sum to 1. A pixel that a cell holds in part counts by that part.

    Exact: the mass of a coarse map on a role is the sum of map times coverage, as if each cell's attention were spread
    evenly over the pixels it stands for.
    """
    masks = torch.nn.functional.one_hot(roles.long(), len(ROLES)).movedim(3, 1).double()
    (rows, columns), (height, width) = size, roles.shape[1:]
    top, down, left, across = placement or place_evenly(size)
    vertical, horizontal = (
        torch.from_numpy(overlap_weights(*side)) for side in ((rows, top, down, height), (columns, left, across, width))
    )
    return (vertical @ masks @ horizontal.T).float()


def role_mass(
    attn: Float[Tensor, "batch rows columns"], covered: Float[Tensor, "batch 3 rows columns"]
) -> Float[Tensor, "batch 3"]:
    """Share of an image's attention on each role; over the roles it sums to 1. Maps need not be normalised;
    one that is zero everywhere counts as uniform."""
    return (distribution(attn).unsqueeze(1) * covered).sum((2, 3))


def centre_prior(main: Float[Tensor, "batch rows columns"]) -> Float[Tensor, "rows columns"]:
    """A Gaussian over the grid with mean and covariance of the main objects' pixels, scaled to sum 1.

    What a map that knows where objects usually lie, and nothing of the picture, can reach. Fit it on other images.
    """
    weights = main.sum(0).double().flatten()
    rows, columns = main.shape[1:]
    grid = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")).flatten(1).double()
    weights = weights / weights.sum()
    mean = grid @ weights
    offset = grid - mean.unsqueeze(1)
    covariance = (offset * weights) @ offset.T + 1e-6 * torch.eye(2)
    log_density = -0.5 * (offset * torch.linalg.solve(covariance, offset)).sum(0)
    return log_density.softmax(0).view(rows, columns).float()


def derangement(size: int, seed: int = 0) -> Int[Tensor, " size"]:
    """A random partner for each image, never itself."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(size))
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)
    return partner


def density(mass: Float[np.ndarray, " images"], area: Float[np.ndarray, " images"]) -> float:
    """Attention on a role divided by the role's area, both summed over the images: 1 is uniform attention."""
    return float(mass.sum() / area.sum())


def density_draws(
    mass: Float[np.ndarray, "images roles"],
    area: Float[np.ndarray, "images roles"],
    sources: Int[np.ndarray, " images"],
    resamples: int = 1000,
    seed: int = 0,
) -> Float[np.ndarray, "resamples roles"]:
    """Bootstrap draws of each role's `density`, resampling sources (the drawings objects come from), not images.

    The same sources and seed give the same draws: densities of several roles, maps or levels are paired. NaN where a draw
    holds nothing of a role.
    """
    _, group = np.unique(sources, return_inverse=True)
    count = group.max() + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    grouped_mass, grouped_area = (
        np.stack([np.bincount(group, column, count) for column in values.T], 1) for values in (mass, area)
    )
    with np.errstate(invalid="ignore"):
        return (drawn @ grouped_mass) / (drawn @ grouped_area)


def interval(draws: Float[np.ndarray, " resamples"]) -> tuple[float, float]:
    """95 %, by percentiles; draws that are NaN have no say."""
    if np.isnan(draws).all():
        return float("nan"), float("nan")
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return float(low), float(high)


def draw_halves(sources: Int[np.ndarray, " images"], seed: int = 0) -> Bool[np.ndarray, " images"]:
    """Which of two random halves each image is in; images of one source are in the same."""
    _, group = np.unique(sources, return_inverse=True)
    count = group.max() + 1
    return (np.random.default_rng(seed).permutation(count) < count // 2)[group]
