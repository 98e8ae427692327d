"""What densities on roles say: which role a level prefers, and whether levels show the roles apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from lta.measures.roles import ROLES, interval

WORDS = {"main": "main object", "side": "side objects", "background": "background"}
UNDECIDED = "undecided"
PREFERS = (
    "a level prefers the role of its highest density if that density's 95 % interval lies above 1 + margin and the interval "
    "of its paired difference to every other role's lies above margin; else it is undecided. beyond_controls: so does its "
    "difference to that of shuffled maps and of the centre prior"
)
APART = (
    "holds: each of the three roles is preferred by a level. contradicted: even if every undecided level preferred another "
    "one, a role would be left over. undecided: neither. not asked: fewer than three levels, or no side objects"
)


def preference(draws: Mapping[str, Float[np.ndarray, "resamples roles"]], margin: float) -> dict[str, Any]:
    """By the rule PREFERS. `draws`: paired bootstrap draws of the level's own densities, as "density", and of each
    control's; a role that is not there is NaN throughout. `words` and `role` name the preferred one; `leading` is the role
    of the highest density, and `ahead_of` has the intervals of its differences to the others, either way.
    """
    own = draws["density"]
    there = [k for k in range(len(ROLES)) if not np.isnan(own[:, k]).all()]
    leading = max(there, key=lambda k: np.nanmean(own[:, k]), default=0)
    ahead = {ROLES[k]: interval(own[:, leading] - own[:, k]) for k in there if k != leading}
    decided = interval(own[:, leading])[0] > 1 + margin and all(low > margin for low, _ in ahead.values())
    beyond = {
        control: interval(own[:, leading] - other[:, leading]) for control, other in draws.items() if control != "density"
    }
    return {
        "words": WORDS[ROLES[leading]] if decided else UNDECIDED,
        "role": ROLES[leading] if decided else None,
        "leading": ROLES[leading],
        "ahead_of": {role: list(found) for role, found in ahead.items()},
        "ahead_of_control": {control: list(found) for control, found in beyond.items()},
        "beyond_controls": all(low > margin for low, _ in beyond.values()) if decided else None,
    }


def decide_separation(
    preferred: Mapping[str, str | None], draws: Mapping[str, Float[np.ndarray, "resamples roles"]]
) -> dict[str, Any]:
    """By the rule APART, of the levels' preferred roles (None: undecided) and paired draws of their densities.

    `share_of_draws`: of the draws, how many have each role as the one of highest density at some level, 0 to 1.
    """
    if len(preferred) < len(ROLES):
        return {"words": "not asked", "why": f"fewer than three levels: {', '.join(preferred)}", "share_of_draws": None}
    if any(np.isnan(own).all(0).any() for own in draws.values()):
        return {"words": "not asked", "why": "these images have no side objects", "share_of_draws": None}
    highest = np.stack([np.where(np.isnan(own), -np.inf, own).argmax(1) for own in draws.values()])
    share = float(np.mean([set(drawn) == set(range(len(ROLES))) for drawn in highest.T.tolist()]))
    open_roles = [role for role in ROLES if role not in preferred.values()]
    open_levels = [level for level, role in preferred.items() if role is None]
    words = "holds" if not open_roles else "contradicted" if len(open_levels) < len(open_roles) else UNDECIDED
    unseen = " or ".join(WORDS[role] for role in reversed(open_roles)) if len(open_roles) < len(ROLES) else "any role"
    why = f"no level prefers {unseen}" if open_roles else "each role is preferred by a level"
    return {"words": words, "why": why, "share_of_draws": share}
