"""Whether a published figure was reproduced: the rule, and what it says of a row."""

from collections.abc import Sequence
from typing import NamedTuple

from lta.reporting.deviations import Deviation
from lta.reporting.published import Published
from lta.reporting.statistics import Summary

SEEDS = 3
SHARE = 0.1

RULE = (
    "Not comparable: no figure that was checked is published for it; or the data's coding or resolution, or the network's "
    "width or normaliser differ from the paper's; "
    f"or fewer than {SEEDS} seeds; or the error is higher after fewer epochs than the paper's. Otherwise, "
    "from the range in which one more of our runs falls (95 %, Student's t over seeds, since the published figure is one "
    f"run): reproduced, if the figure lies in it and it reaches at most {100 * SHARE:g} % of the figure to either side of "
    "our mean, or if it lies wholly below the figure; within noise, if the figure lies in a wider one; not reproduced, if "
    "it lies wholly above the figure."
)

BLOCKING = ("coding", "model.width", "model.normaliser", "data.image_size")


class Verdict(NamedTuple):
    words: str
    why: str


def verdict(summary: Summary, published: Published, deviations: Sequence[Deviation]) -> Verdict:
    gate = published.gate
    if gate is None:
        unchecked = [str(figure) for figure in published.paper]
        return Verdict("not comparable", f"no checked figure ({', '.join(unchecked) or 'none published'})")
    by_setting = {one.setting: one for one in deviations}
    for setting in BLOCKING:
        if setting in by_setting:
            return Verdict("not comparable", by_setting[setting].words)
    if summary.n < SEEDS or summary.next_run is None:
        return Verdict("not comparable", f"{summary.n} seed{'s' * (summary.n != 1)} of {SEEDS}")
    low, high = summary.next_run
    where = f"one more run: {low:.2f} to {high:.2f}, {gate.trust} figure {gate.error:.2f}"
    if high < gate.error:
        return Verdict("reproduced", f"lower: {where}")
    shorter = by_setting.get("recipe.epochs")
    known = shorter is not None and isinstance(shorter.ours, (int, float))
    if known and shorter.ours < shorter.papers and summary.mean > gate.error:
        return Verdict("not comparable", f"{shorter.words}, and the error is higher; {where}")
    if low > gate.error:
        return Verdict("not reproduced", where)
    return Verdict("reproduced" if (high - low) / 2 <= SHARE * gate.error else "within noise", where)
