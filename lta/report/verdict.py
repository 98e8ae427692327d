"""Whether a published figure was reproduced: the rule, and what it says of a row."""

from collections.abc import Sequence
from typing import NamedTuple

from lta.report.deviations import Deviation
from lta.report.published import Figure, Published
from lta.report.statistics import Summary

SEEDS = 3
SHARE = 0.1
SCATTER = 0.5

RULE = (
    "Not comparable means that one of these holds. No checked figure is published. The data's coding, resolution or "
    "number of test images differ from the paper's, or the network's width, pools or normaliser do. All seeds have "
    f"exactly the same error, or there are fewer than {SEEDS} seeds. One more run may fall more than {100 * SCATTER:g} % of "
    "the figure to either side. The error is higher, but after fewer epochs than the paper's. Otherwise we take the "
    "range in which one more of our runs falls (95 %, Student's t over seeds, because the published figure is one "
    f"run). Reproduced: the figure lies in it, and it reaches at most {100 * SHARE:g} % of the figure to either side of our "
    "mean. Within noise: the figure lies in a wider range. Not reproduced: the range lies wholly above or wholly below "
    "the figure. If checked figures differ, ours is judged by each, and the weakest verdict counts. How often is "
    "that right? We drew published figures from the very distribution of our seeds (5.23 %, standard deviation 0.1 "
    "points). Three seeds call 62 % reproduced, 33 % within noise and 5 % not reproduced. Five seeds call "
    "93 %, 2 % and 5 %. Reproduced says that this error is reached, with the deviations listed. It does not confirm "
    "the training or the order of networks."
)

WEAKEST = ("not reproduced", "not comparable", "within noise", "reproduced")

BLOCKING = ("coding", "test_images", "model.width", "model.normaliser", "model.pools", "data.image_size")


class Verdict(NamedTuple):
    """The verdict in words, and the reason."""

    words: str
    why: str


def judge_reproduction(summary: Summary, published: Published, deviations: Sequence[Deviation]) -> Verdict:
    """Whether our error reproduces the published one, by the rule that the page prints."""
    if not published.gates:
        unchecked = [str(figure) for figure in published.paper] + [f"{figure} by others" for figure in published.others]
        return Verdict("not comparable", f"no checked figure ({', '.join(unchecked) or 'none published'})")
    by_setting = {one.setting: one for one in deviations}
    for setting in BLOCKING:
        if setting in by_setting:
            return Verdict("not comparable", by_setting[setting].words)
    if summary.n < SEEDS or summary.next_run is None:
        return Verdict("not comparable", f"{summary.n} seed{'s' * (summary.n != 1)} of {SEEDS}")
    if summary.sd == 0:
        return Verdict("not comparable", f"all {summary.n} seeds have exactly the same error: their scatter is not known")
    found = [_judge_by(gate, summary.mean, summary.next_run, by_setting.get("recipe.epochs")) for gate in published.gates]
    weakest = min((words for words, _ in found), key=WEAKEST.index)
    several = len({words for words, _ in found}) > 1
    low, high = summary.next_run
    said = "; ".join(f"{words}, {why}" if several else why for words, why in found)
    return Verdict(weakest, f"one more run: {max(low, 0):.2f} to {min(high, 100):.2f}; {said}")


def _judge_by(gate: Figure, mean: float, next_run: tuple[float, float], epochs: Deviation | None) -> tuple[str, str]:
    """The verdict by one figure, and why."""
    low, high = next_run
    half = (high - low) / 2
    figure = f"{gate.trust} figure {gate.error:.2f}"
    if half > SCATTER * gate.error:
        return "not comparable", f"seeds scatter too much for the {figure}"
    known = epochs is not None and isinstance(epochs.ours, (int, float))
    if epochs is not None and known and epochs.ours < epochs.papers and mean > gate.error:
        return "not comparable", f"above the {figure}, after fewer epochs: {epochs.words}"
    if high < gate.error:
        return "not reproduced", f"lower than the {figure}"
    if low > gate.error:
        return "not reproduced", f"higher than the {figure}"
    return ("reproduced" if half <= SHARE * gate.error else "within noise"), figure
