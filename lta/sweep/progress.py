"""What a person sees while a sweep runs: one bar on a terminal, a line at each job's end elsewhere."""

import statistics
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from tqdm import tqdm

from lta.runtime.console import format_duration
from lta.sweep.jobs import Job


class Progress:
    """Of `jobs`, `slots` at a time; `before` have run in earlier batches of the same sweep. Call it at each start and end.

    `figures` gives those of a job that is done, by name. A screen that is gone does not end a sweep.
    """

    def __init__(
        self, jobs: Sequence[Job], slots: int, before: int, figures: Callable[[Job], Mapping[str, float | None]]
    ) -> None:
        self.jobs, self.slots, self.before, self.figures = jobs, slots, before, figures
        self.bar: tqdm | None = None
        if sys.stdout.isatty() and any(job.status == "waiting" for job in jobs):
            shape = "{desc} {n_fmt}/{total_fmt} |{bar:20}|{postfix}"
            self.bar = tqdm(total=before + len(jobs), desc="sweep", bar_format=shape, file=sys.stdout)
            self._refresh()

    def __call__(self, job: Job) -> None:
        with suppress(OSError):
            if self.bar is None and job.status != "running":
                say(f"{self._describe_end(job)}{self._describe_outlook()}")
            elif self.bar is not None:
                if job.status in ("failed", "elsewhere"):
                    say(self._describe_end(job))
                self._refresh()

    def close(self) -> None:
        if self.bar is not None:
            with suppress(OSError):
                self.bar.close()

    def _count_ended(self) -> int:
        return self.before + sum(job.status in ("done", "failed", "skipped", "elsewhere") for job in self.jobs)

    def _describe_end(self, job: Job) -> str:
        if job.status == "stopped":
            return f"{job.name}: stopped ({format_duration(job.seconds)})"
        if job.status == "done":
            found = ", ".join(f"{key} {value:.3g}" for key, value in self.figures(job).items() if value is not None)
        elif job.status == "elsewhere":
            found = f"running elsewhere: {job.why}"
        else:
            found = f"{job.status} ({job.ended}): {job.why}"
        place = f"[{self._count_ended()}/{self.before + len(self.jobs)}]"
        return f"{place} {job.name}: {found or 'done'} ({format_duration(job.seconds)})"

    def _describe_outlook(self) -> str:
        parts = self._describe_counts(("running",))
        return f"; {', '.join(parts)}" if parts else ""

    def _describe_counts(self, shown: Sequence[str]) -> list[str]:
        count = Counter(job.status for job in self.jobs)
        parts = [f"{count[status]} {status}" for status in shown if count[status]]
        left = time_left(self.jobs, self.slots)
        return parts if left is None else [*parts, f"about {format_duration(left)} left"]

    def _refresh(self) -> None:
        assert self.bar is not None
        self.bar.n = self._count_ended()
        self.bar.set_postfix_str(", ".join(self._describe_counts(("running", "failed", "skipped"))), refresh=False)
        self.bar.refresh()


def time_left(jobs: Sequence[Job], slots: int) -> float | None:
    """Seconds, by the mean of the jobs done in this session; None before the first and after the last."""
    taken = [job.seconds for job in jobs if job.status == "done"]
    remaining = sum(job.status in ("waiting", "running") for job in jobs)
    return statistics.fmean(taken) * remaining / min(slots, remaining) if taken and remaining else None


def say(line: str) -> None:
    """One line, above a bar where there is one, at once also where the output is a file."""
    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()
