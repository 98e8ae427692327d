"""Whether two configurations differ: the differences of runs with the same seed, which share their data and order."""

from collections.abc import Sequence
from typing import NamedTuple

from lta.report.groups import Group
from lta.report.statistics import Summary, summarise_values

RULE = (
    "Differences in test error are taken seed by seed. Each has its own 95 % interval (Student's t), so one of twenty "
    "comparisons may be decided wrongly. The interval is over trainings. All networks are tested on the same images, so it "
    "does not say how other images would decide. Validation images, if there are some, are a second look. Lower and higher: "
    "the interval does not contain 0. Not decided: it does, and its ends show how large a difference may have been missed. "
    "If all differences are the same, nothing is decided, because their scatter is not known."
)

SCATTER = 1e-4
"""Points. Of differences of errors that are float32 in files, below it there is none."""


class Pair(NamedTuple):
    """`difference`: of test errors in points, `group` minus `reference`, over the seeds that both have; `validation`: of
    validation errors after the last epoch. None without any."""

    group: Group
    reference: Group
    difference: Summary | None
    validation: Summary | None = None

    @property
    def words(self) -> str:
        """Whether the error is lower or higher, or that this is not decided and why."""
        if self.difference is None:
            return "no seed in common"
        if self.difference.interval is None:
            return "one seed"
        if self.difference.sd is not None and self.difference.sd < SCATTER:
            return "not decided"
        low, high = self.difference.interval
        return "lower" if high < 0 else "higher" if low > 0 else "not decided"


def compare_groups(groups: Sequence[Group], named: str) -> list[Pair]:
    """Every other group of its data set against the one whose label or network is `named`; [] where `named` is "".

    Raises ValueError where on no data set exactly one is called so.
    """
    if not named:
        return []
    references: dict[str, Group] = {}
    ambiguous: list[Group] = []
    for data in dict.fromkeys(group.names.data for group in groups):
        of = [group for group in groups if group.names.data == data]
        found = [group for group in of if group.label == named] or [group for group in of if str(group.names) == named]
        if len(found) == 1:
            references[data] = found[0]
        ambiguous += found if len(found) > 1 else []
    if not references:
        labels = "; ".join(f'"{label}"' for label in dict.fromkeys(group.label for group in ambiguous or groups))
        if ambiguous:
            raise ValueError(f"--against={named} matches several configurations: {labels}; give one of these")
        raise ValueError(f"--against={named} matches no configuration; there are {labels or 'none'}")
    return [
        _make_pair(group, references[group.names.data])
        for group in groups
        if group.names.data in references and group is not references[group.names.data]
    ]


def _make_pair(group: Group, reference: Group) -> Pair:
    return Pair(
        group, reference, _compute_difference(group, reference, "error"), _compute_difference(group, reference, "val_error")
    )


def _compute_difference(group: Group, reference: Group, error: str) -> Summary | None:
    theirs = {run.seed: getattr(run, error) for run in reference.runs if run.seed is not None}
    ours = {run.seed: getattr(run, error) for run in group.runs}
    common = [seed for seed in ours if seed in theirs and None not in (ours[seed], theirs[seed])]
    return summarise_values([ours[seed] - theirs[seed] for seed in common]) if common else None


def format_difference(one: Summary | None) -> tuple[str, str]:
    """A difference, and the interval of its mean; "-" for what there is not."""
    if one is None:
        return "-", "-"
    return f"{one.mean:+.2f}", "-" if one.interval is None else "{:+.2f} to {:+.2f}".format(*one.interval)
