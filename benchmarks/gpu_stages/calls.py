"""One call: the stages that fit into it, in their order."""

import re
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from gpu_stages.settings import Settings, release_memory
from gpu_stages.stage import Absent, Stage, Unfinished
from gpu_stages.summary import Summary

END = 5.0
"""Seconds kept for the end of a call."""

FOLDERS = re.compile(r"(?<![^\s:=('\"])(?:/[^\s/:]+)+/")
"""Of an absolute path."""

Say = Callable[[str], None]


class OutOfTime(BaseException):
    """The call is over in the middle of a stage. No Exception: a stage that catches those goes on otherwise."""


class Clock:
    """The seconds of one call."""

    def __init__(self, seconds: float):
        self.ends = time.monotonic() + seconds - END

    def count_left(self) -> float:
        return self.ends - time.monotonic()

    @contextmanager
    def stop_at_end(self) -> Iterator[None]:
        """Inside, OutOfTime is raised in the main thread when the call's seconds are over."""

        def stop(*_: object) -> None:
            raise OutOfTime

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, max(self.count_left(), 0.01))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


def run_stages(stages: Sequence[Stage], settings: Settings, summary: Summary, clock: Clock, say: Say = print) -> None:
    """Goes through those that are not done; those that failed or were stopped in an earlier call come last."""
    tried = {stage.name for stage in stages if summary.get_state(stage) in ("failed", "stopped")}
    for stage in sorted(stages, key=lambda stage: stage.name in tried):
        if summary.get_state(stage) == "done":
            say(f"-- {stage.name}: done before")
            continue
        estimate, left = summary.estimate(stage), clock.count_left()
        if left < _find_least(stage, estimate):
            kept = summary.get_state(stage)
            say(f"-- {stage.name}: skipped, it takes about {estimate:.0f} s and {max(left, 0):.0f} s are left of this call")
            if kept not in ("unfinished", "failed", "stopped"):
                summary.record(stage, "skipped", estimate=estimate)
            continue
        say(f"== {stage.name}: {stage.title}; about {estimate:.0f} s, {left:.0f} s are left of this call")
        _run_stage(stage, settings, summary, clock, say)


def _find_least(stage: Stage, estimate: float) -> float:
    """Seconds without which it does not begin."""
    return estimate if stage.least is None else min(stage.least, estimate)


def _run_stage(stage: Stage, settings: Settings, summary: Summary, clock: Clock, say: Say) -> None:
    begun = time.monotonic()

    def record(state: str, **more: object) -> None:
        taken = time.monotonic() - begun
        summary.record(stage, state, taken, **more)
        said = more.get("error") or more.get("why") or ""
        say(f"   {state} after {taken:.1f} s{': ' if said else ''}{said}")

    try:
        with clock.stop_at_end():
            found = stage.run(settings, clock.count_left())
    except OutOfTime:
        record("stopped", why="the call was over", stopped_after=time.monotonic() - begun)
    except Absent as absent:
        record("absent", why=str(absent))
    except Unfinished as unfinished:
        record("unfinished", found=unfinished.found, seconds_left=unfinished.seconds)
    except Exception as error:
        (settings.out / f"{stage.name}.error.txt").write_text(traceback.format_exc())
        record("failed", error=describe_error(error))
    else:
        record("done", found=found)
    release_memory()


def describe_error(error: Exception) -> str:
    """In one line: the first of its message, and the last. Without folders: the file is to be shared."""
    lines = str(error).strip().splitlines() or [""]
    said = " ... ".join(dict.fromkeys((lines[0], lines[-1])))
    return f"{type(error).__name__}: {FOLDERS.sub('', said)}"
