"""Where attention lies, on data whose objects are known: main object, side objects, background."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lta import checks
from lta.evaluators.evaluator import Evaluator, NotApplicable, Result, check_attention, check_masks
from lta.evaluators.passes import run_forward_passes
from lta.evaluators.roles import table
from lta.measures.placement import Placement, find_placements
from lta.measures.role_verdicts import APART, PREFERS, decide_separation, preference
from lta.measures.roles import (
    ROLES,
    centre_prior,
    coverage,
    density,
    density_draws,
    derangement,
    draw_halves,
    interval,
    role_mass,
)
from lta.protocols import Split, Splits, TrainedClassifier

MARGIN = 0.02
CHUNK = 500
"""Images whose role maps are looked at together."""


class Roles(Evaluator):
    """Per level and role: share of attention, share of area, and density, the one divided by the other (1 = uniform).

    The area is that of the picture's part that the map's cells cover, which levels of unpadded networks leave in part.

    A verdict for each level (`PREFERS`) and one on the paper's claim that the levels show background, side objects and
    main object apart (`APART`); `margin`, in units of density, is the least that counts. Data without side objects have no
    figures for them. See `measure_roles` for the controls.
    """

    name = "roles"
    several_labels = True

    def __init__(self, margin: float = MARGIN, seed: int = 0):
        checks.require_number("evaluator.roles.margin", margin, 0, 100)
        checks.require_whole_number("evaluator.roles.seed", seed)
        self.margin, self.seed = margin, seed

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        """Raises NotApplicable for data without masks and networks without maps, ValueError where no picture has a main
        object."""
        check_attention(self.name, classifier)
        check_masks(self.name, data)
        if not (data.test.roles == 2).any():
            raise ValueError("evaluator=roles: no test image has a main object")
        assert data.test.sources is not None, "where there are roles, there are sources"
        if len(np.unique(data.test.sources)) < 2:
            raise ValueError("evaluator=roles needs main objects of two sources or more: intervals are taken over them")

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        self.check(classifier, data)
        found = measure_roles(classifier, data, data.eval_batch_size, self.margin, self.seed)
        for level, of_level in found["levels"].items():
            if np.isnan(of_level["density"]["main"]["value"]):
                raise NotApplicable(
                    f"evaluator=roles: maps of {level} hold values that are not numbers: has training diverged?"
                )
        figures = {"rules": {"prefers": PREFERS, "apart": APART}} | found
        return Result(figures, table.rows(found), table.lines(found), {"density": table.plot_densities(found)})

    def summarise(self, figures: Mapping[str, Any]) -> list[str]:
        return table.summary_lines(figures)


def measure_roles(
    classifier: TrainedClassifier, data: Splits, batch_size: int, margin: float = MARGIN, seed: int = 0
) -> dict[str, Any]:
    """Per level the attention density on each role (1 = uniform attention), with its controls, on the test images.

    `classifier(images)` returns a NetworkOutput for uint8 images; `data.val` and `data.test` are splits with `roles`
    and `sources`. Every process calls this. For every level: `density` of its own maps, of each map on another picture's
    objects (`shuffled`), and of a Gaussian fitted to where main objects lie in val (`centre_prior`), each with a 95 %
    interval that resamples sources; None for a role that no image has. `level` is the level of the highest density on the
    main object of the val images; where there is no validation set, the first 1,000 training images stand in for it
    (`chosen_on`). Where there are none either, no level is chosen, and each half of the test images has the Gaussian of
    the other.
    """
    levels = classifier.network.levels
    if not levels:
        raise ValueError("this network has no maps: roles can't be measured")
    test, other, chosen_on = data.test, data.val, "val"
    assert test.roles is not None, "check comes first"
    assert test.sources is not None, "where there are roles, there are sources"
    if other is None and len(data.train.labels):
        other, chosen_on = data.train.take(np.arange(min(1000, len(data.train.labels)))), "train"
    maps = _maps(classifier, test, batch_size)
    maps_other = _maps(classifier, other, batch_size) if other else {}
    partner, half = derangement(len(test.labels), seed), torch.from_numpy(draw_halves(test.sources, seed))
    on_main, by_level, draws = {}, {}, {}
    rows, columns = test.images.shape[1:3]
    placements = find_placements(classifier.network, (rows, columns))
    for level in levels:
        height, width = maps[level].shape[1:]
        size = (height, width)
        covered = _coverage(test.roles, size, placements.get(level))
        if other:
            assert other.roles is not None, "test has roles, and so has every split"
            covered_other = _coverage(other.roles, size, placements.get(level))
            on_other = role_mass(maps_other[level], covered_other).numpy()[:, 2]
            on_main[level] = density(on_other, covered_other.mean((2, 3)).numpy()[:, 2])
            prior = centre_prior(covered_other[:, 2]).expand(len(covered), *size)
        else:
            of_half = torch.stack([centre_prior(covered[half != side, 2]) for side in (False, True)])
            prior = of_half[half.long()]
        kinds = {"density": maps[level], "shuffled": maps[level][partner], "centre_prior": prior}
        area = covered.mean((2, 3)).numpy()
        masses = {kind: role_mass(attn, covered).numpy() for kind, attn in kinds.items()}
        drawn = {kind: density_draws(mass, area, test.sources, seed=seed) for kind, mass in masses.items()}
        draws[level] = drawn["density"]
        by_level[level] = {"map": list(size)} | {kind: _summarise_roles(masses[kind], area, drawn[kind]) for kind in kinds}
        by_level[level]["verdict"] = preference(drawn, margin)
    return {
        "images": len(test.labels),
        "sources": len(np.unique(test.sources)),
        "margin": margin,
        "levels": by_level,
        "apart": decide_separation({level: found["verdict"]["role"] for level, found in by_level.items()}, draws),
        "level": max(on_main, key=on_main.__getitem__) if on_main else None,
        "chosen_on": chosen_on if on_main else None,
    }


def _summarise_roles(mass: np.ndarray, area: np.ndarray, drawn: np.ndarray) -> dict[str, dict[str, Any] | None]:
    """None for a role that is nowhere: it has no density, which is not the same as a density of 0."""
    return {
        role: None
        if not area[:, k].any()
        else {
            "value": density(mass[:, k], area[:, k]),
            "interval": list(interval(drawn[:, k])),
            "n": len(mass),
            "share": float(mass[:, k].mean()),
            "area": float(area[:, k].mean()),
        }
        for k, role in enumerate(ROLES)
    }


def _maps(classifier: TrainedClassifier, split: Split, batch_size: int) -> dict[str, Tensor]:
    """All maps of a split, on the CPU, in float32."""
    found = run_forward_passes(classifier, split, lambda images, index: classifier(images).attn, batch_size, "roles")
    return {level: torch.from_numpy(values).float() for level, values in found.items()}


def _coverage(roles: np.ndarray, size: tuple[int, int], placement: Placement | None) -> Tensor:
    starts = range(0, len(roles), CHUNK)
    return torch.cat([coverage(torch.from_numpy(roles[start : start + CHUNK]), size, placement) for start in starts])
