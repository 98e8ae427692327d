"""Where attention lies, on data whose objects are known: main object, side objects, background."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lta.measures.roles import ROLES, centre_prior, coverage, density, density_interval, derangement, role_mass


def measure_roles(classifier: Any, data: Any, batch_size: int = 500) -> dict[str, Any]:
    """Per level the attention density on each role (1 = uniform attention), with its controls, on the test images.

    `classifier(images)` returns a NetworkOutput for uint8 images; `data.val` and `data.test` are splits with `roles`
    and `sources`. For every level: `density` of its own maps, of each map on another picture's objects (`shuffled`),
    and of a Gaussian fitted to where main objects lie in val (`centre_prior`), each with a 95 % interval that resamples
    source digits. `level` is the level of the highest density on the main object of the val images; where there is no
    validation set, the first 1,000 training images stand in for it (`chosen_on`).
    """
    levels = classifier.network.levels
    if not levels:
        raise ValueError("this network has no maps: roles can't be measured")
    other = data.val or data.train.take(np.arange(min(1000, len(data.train.labels))))
    maps_other, maps_test = (_maps(classifier, split, batch_size) for split in (other, data.test))
    chosen, best = None, -1.0
    result: dict[str, Any] = {"images": len(data.test.labels), "sources": len(np.unique(data.test.sources)), "levels": {}}
    partner = derangement(len(data.test.labels))
    for level in levels:
        size = tuple(maps_test[level].shape[1:])
        covered_other, covered = (coverage(torch.from_numpy(split.roles), size) for split in (other, data.test))
        on_other = role_mass(maps_other[level], covered_other).numpy()[:, 2]
        if (score := density(on_other, covered_other.mean((2, 3)).numpy()[:, 2])) > best:
            chosen, best = level, score
        prior = centre_prior(covered_other[:, 2]).expand(len(covered), *size)
        kinds = {"density": maps_test[level], "shuffled": maps_test[level][partner], "centre_prior": prior}
        area = covered.mean((2, 3)).numpy()
        result["levels"][level] = {"map": list(size)} | {
            kind: _by_role(role_mass(attn, covered).numpy(), area, data.test.sources) for kind, attn in kinds.items()
        }
    return result | {"level": chosen, "chosen_on": "val" if data.val else "train"}


def _by_role(mass: np.ndarray, area: np.ndarray, sources: np.ndarray) -> dict[str, dict[str, Any]]:
    return {
        role: {"value": density(mass[:, k], area[:, k]), "interval": list(density_interval(mass[:, k], area[:, k], sources))}
        for k, role in enumerate(ROLES)
    }


@torch.inference_mode()
def _maps(classifier: Any, split: Any, batch_size: int) -> dict[str, Tensor]:
    """All maps of a split, on the CPU, in float32."""
    classifier.eval()
    device = next(classifier.parameters()).device
    found: dict[str, list[Tensor]] = {}
    for start in range(0, len(split.labels), batch_size):
        images = torch.from_numpy(np.ascontiguousarray(split.images[start : start + batch_size])).permute(0, 3, 1, 2)
        for level, attn in classifier(images.to(device)).attn.items():
            found.setdefault(level, []).append(attn.float().cpu())
    return {level: torch.cat(parts) for level, parts in found.items()}
