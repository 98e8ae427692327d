"""Numbers that describe maps, and their intervals. Plain PyTorch and NumPy."""

from lta.measures.intervals import difference, mean, share, wilson
from lta.measures.localisation import chance_iou, cross_fit_thresholds, energy, iou_by_threshold, pixel_auc, pointing
from lta.measures.map_statistics import (
    agreement,
    centre_bias,
    effective_positions,
    entropy,
    peak,
    total_variation,
)
from lta.measures.pixel_maps import enlarge_map
from lta.measures.placement import Placement, find_placements
from lta.measures.roles import centre_prior, coverage, role_mass

__all__ = [
    "Placement",
    "agreement",
    "centre_bias",
    "centre_prior",
    "chance_iou",
    "coverage",
    "cross_fit_thresholds",
    "difference",
    "effective_positions",
    "energy",
    "enlarge_map",
    "entropy",
    "find_placements",
    "iou_by_threshold",
    "mean",
    "peak",
    "pixel_auc",
    "pointing",
    "role_mass",
    "share",
    "total_variation",
    "wilson",
]
