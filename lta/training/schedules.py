"""How the learning rate goes over a training."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

from lta import checks


class Schedule(ABC):
    """The factor on the base learning rate."""

    @abstractmethod
    def factor(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        """At 0-based optimiser step `step` of a training of `epochs`."""

    def forgets_momentum(self, epoch: int, epochs: int) -> bool:
        """Whether the optimiser starts 0-based `epoch` without what it remembers."""
        return False

    def why_not_longer(self) -> str | None:
        """Why a training that was begun for fewer epochs can't be gone on with for more, in words; None where its epochs
        until then are those that the longer training would have had."""
        return f"{type(self).__name__} makes the rate of each step from the number of epochs"


class WarmupCosine(Schedule):
    """Linearly up over the first share `warmup` of all steps, then a half cosine down to zero."""

    def __init__(self, warmup: float = 0.15):
        checks.require_number("schedule.warmup", warmup, 0, 1)
        self.warmup = warmup

    def factor(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        total = epochs * steps_per_epoch
        rising = self.warmup * total
        if step < rising:
            return (step + 1) / (rising + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(total - rising, 1)))


class Triangle(Schedule):
    """Linearly from `start` up to 1 at the share `peak` of all steps, then linearly to `end` (arXiv 2404.00498)."""

    def __init__(self, start: float = 0.2, peak: float = 0.23, end: float = 0.07):
        for name, value in (("start", start), ("peak", peak), ("end", end)):
            checks.require_share(f"schedule.{name}", value)
        self.start, self.peak, self.end = start, peak, end

    def factor(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        total = epochs * steps_per_epoch
        top = int(self.peak * total)
        if step < top:
            return self.start + (1 - self.start) * step / top
        return 1 - (1 - self.end) * (step - top) / max(total - top, 1)


class Steps(Schedule):
    """The authors' schedules (author_spec section 5): `changes` are pairs of a 1-based epoch and the factor that is applied
    at its start and stays. Without them, `factor` is applied at each epoch that is a multiple of `every` (None: at none).
    Every step divides by 1 + n `step_decay` besides, n counting all steps before it.

    `of_epochs`: the changes are meant for a training of so many epochs and are moved in proportion to this one's length;
    None: they stand as they are. `reset_momentum`: the optimiser forgets its momentum at each change.
    """

    def __init__(
        self,
        changes: Sequence[Sequence[float]] | None = None,
        every: int | None = None,
        factor: float = 0.5,
        step_decay: float = 0.0,
        of_epochs: int | None = None,
        reset_momentum: bool = False,
    ):
        if changes is not None and not _are_pairs(changes):
            raise ValueError(
                f"schedule.changes={changes} must be pairs of epoch and factor, for example [[25, 0.5], [50, 0.5]]"
            )
        for epoch, change in changes or ():
            checks.require_whole_number("schedule.changes: epoch", epoch, least=1)
            checks.require_number(f"schedule.changes: factor at epoch {epoch}", change, 0, 1e6)
        checks.require_number("schedule.step_decay", step_decay, 0, 1)
        for name, value in (("every", every), ("of_epochs", of_epochs)):
            if value is not None:
                checks.require_whole_number(f"schedule.{name}", value, least=1)
        checks.require_number("schedule.factor", factor, 0, 1e6)
        checks.require_flag("schedule.reset_momentum", reset_momentum)
        self.changes, self.every, self.change, self.step_decay = changes, every, factor, step_decay
        self.of_epochs, self.reset_momentum = of_epochs, reset_momentum

    def factor(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        """Changes apply from the start of their epoch, the decay from step to step."""
        reached = step / steps_per_epoch  # in epochs
        applied = (factor for epoch, factor in self._changes(epochs) if self._start(epoch, epochs) <= reached)
        return math.prod(applied) / (1 + step * self.step_decay)

    def forgets_momentum(self, epoch: int, epochs: int) -> bool:
        """With `reset_momentum`, in the epochs in which the rate changes."""
        changed = any(epoch - 1 < self._start(e, epochs) <= epoch for e, _ in self._changes(epochs))
        return self.reset_momentum and changed

    def why_not_longer(self) -> str | None:
        """None, except with `of_epochs`: the rates of the epochs that are done do not depend on the number of epochs."""
        return "schedule.of_epochs moves the changes in proportion to the number of epochs" if self.of_epochs else None

    def _changes(self, epochs: int) -> Sequence[Sequence[float]]:
        if self.changes is not None or self.every is None:
            return self.changes or ()
        return [(epoch, self.change) for epoch in range(self.every, (self.of_epochs or epochs) + 1, self.every)]

    def _start(self, epoch: float, epochs: int) -> float:
        """When 1-based `epoch` begins, in epochs since the training's start."""
        return (epoch - 1) * (epochs / self.of_epochs if self.of_epochs else 1)


def _are_pairs(changes: Sequence[Sequence[float]]) -> bool:
    def is_list(value: object) -> bool:
        return isinstance(value, Sequence) and not isinstance(value, str)

    return is_list(changes) and all(is_list(change) and len(change) == 2 for change in changes)
