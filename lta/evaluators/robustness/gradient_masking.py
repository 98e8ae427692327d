"""Whether an attack fails because the network is robust, or because its gradient says nothing.

The checks are those of Athalye et al. (2018) and Carlini et al. (2019) that need no further network.
"""

from typing import Any, NamedTuple

import numpy as np

from lta.evaluators.robustness.table import ATTACKS, AttackResults, compare_attacks
from lta.measures.intervals import share

SLACK = 0.1
"""Of its whole rise: so far below its maximum may the loss of PGD end."""


class UnboundedAttack(NamedTuple):
    """Of some images: PGD's loss at each iterate, all steps at `eps`, and the eps at which each fell; infinity: never."""

    eps: float
    losses: np.ndarray
    fell: np.ndarray


def masking_checks(asked: AttackResults, flat: np.ndarray, unbounded: UnboundedAttack) -> dict[str, Any]:
    """`flat`: of each image, whether its gradient is zero everywhere. The verdict in words, and every check's numbers."""
    checks = {
        "gradient": _gradient(flat),
        "noise": _check_not_weaker(asked, ("fgsm", "pgd"), "noise"),
        "uniform": _check_not_weaker(asked, ("pgd",), "uniform"),
        "iterations": _check_not_weaker(asked, ("pgd",), "fgsm"),
        "unbounded": _check_unbounded(unbounded),
        "steps": _check_loss_rises(unbounded),
    }
    if asked.source is not None:
        checks["transfer"] = _check_not_weaker(asked, ("pgd",), "source_pgd")
    failed = sum(not check["passed"] for check in checks.values())
    verdict = (
        f"SIGNS of gradient masking: {failed} of {len(checks)} checks failed; true errors under attack may be higher"
        if failed
        else f"no sign of gradient masking in {len(checks)} checks"
    )
    return {"found": failed > 0, "verdict": verdict, "checks": checks}


def _gradient(flat: np.ndarray) -> dict[str, Any]:
    count = int(flat.sum())
    says = f"the gradient of {count:,} of {len(flat):,} images is zero" if count else "no image's gradient is zero"
    return {"passed": not count, "says": says, "zero": share(flat)}


def _check_not_weaker(asked: AttackResults, attacks: tuple[str, ...], other: str) -> dict[str, Any]:
    """Fails where the whole interval of a paired difference is below zero."""
    found = {(attack, eps): compare_attacks(asked, attack, other, eps) for attack in attacks for eps in asked.eps}
    (attack, eps), worst = min(found.items(), key=lambda item: (item[1]["interval"][1] >= 0, item[1]["value"]))
    passed = worst["interval"][1] >= 0
    names = " and ".join(ATTACKS[one] for one in attacks)
    low, high = (f"{edge:+.1f}" for edge in worst["interval"])
    says = (
        f"{names} no weaker than {ATTACKS[other]}: {worst['value']:+.1f} points ({low} to {high}) or more"
        if passed
        else f"{ATTACKS[attack]} weaker than {ATTACKS[other]} at eps {eps:g}: {worst['value']:+.1f} points ({low} to {high})"
    )
    figures = {f"{attack} {eps:g}": figure for (attack, eps), figure in found.items()}
    return {"passed": passed, "says": says, "differences": figures}


def _check_unbounded(unbounded: UnboundedAttack) -> dict[str, Any]:
    fallen = np.isfinite(unbounded.fell)
    error = share(fallen)
    says = (
        f"without bound all {len(fallen)} images fall (the last at eps {unbounded.fell.max():g})"
        if fallen.all()
        else f"without bound (eps 255) {error['value']:.1f} % of {len(fallen)} images fall and not 100 %"
    )
    return {"passed": bool(fallen.all()), "says": says, "error": error, "fell_at": unbounded.fell}


def _check_loss_rises(unbounded: UnboundedAttack) -> dict[str, Any]:
    losses = unbounded.losses.mean(0)
    rise, missing = float(losses.max() - losses[0]), float(losses.max() - losses[-1])
    passed = rise > 0 and missing <= SLACK * rise
    says = (
        f"the loss of PGD {'rises' if passed else 'does not keep rising'} over its steps at eps {unbounded.eps:g} "
        f"({losses[0]:.2f} to {losses[-1]:.2f}{'' if passed else f', at most {losses.max():.2f}'})"
    )
    return {"passed": passed, "says": says, "loss_by_step": losses}
