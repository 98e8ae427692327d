"""The one file that the day leaves: what each stage found, written whole after each of them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gpu_stages.stage import Stage
from lta.runtime.files import read_json, write_json
from lta.runtime.provenance import describe_machine, source_state

FILE = "gpu_day.json"

AFTER_A_STOP = 1.5
"""A stage that was ended by the clock is expected to take so many times what it has taken."""


class Summary:
    """`content` is what the file holds: `stages` by name, each with its `state`: done, unfinished, failed, stopped (by the
    end of the call), absent (of what it needs) or skipped (it did not fit). Raises ValueError where the file is of
    a dry run and this is none, or the other way round.
    """

    def __init__(self, folder: Path, dry_run: bool):
        self.path = folder / FILE
        self.content: dict[str, Any] = {"dry_run": dry_run, "calls": [], "stages": {}}
        if self.path.exists():
            self.content = read_json(self.path)
            if self.content["dry_run"] != dry_run:
                kind = "a dry run" if self.content["dry_run"] else "a run on a GPU"
                raise ValueError(f"--resume={folder}: its {FILE} is of {kind}; choose another folder")

    @property
    def stages(self) -> dict[str, dict[str, Any]]:
        return self.content["stages"]

    def begin_call(self, minutes: float) -> None:
        began = datetime.now(UTC).isoformat(timespec="seconds")
        self.content |= {"machine": describe_machine(), **source_state()}
        self.content["calls"].append({"began": began, "minutes": minutes})  # no folder: the file is to be shared
        self.save()

    def record(self, stage: Stage, state: str, taken: float = 0.0, **more: Any) -> None:
        """`taken`: seconds of this call, which are added to those of earlier ones. What was found before stays."""
        before = self.stages.get(stage.name, {})
        seconds = before.get("seconds", 0.0) + taken
        # Where a call was killed, its seconds are not known; those of a training are.
        seconds = max(seconds, more.get("found", {}).get("training_seconds", 0.0))
        kept = {"found": before["found"]} if "found" in before else {}
        about = {"title": stage.title, "kind": stage.kind, "state": state, "expected": stage.seconds, "seconds": seconds}
        self.stages[stage.name] = {**about, **kept, **more}
        self.save()

    def get_state(self, stage: Stage) -> str | None:
        return self.stages.get(stage.name, {}).get("state")

    def estimate(self, stage: Stage) -> float:
        """Seconds that it will take, by what is known so far."""
        entry = self.stages.get(stage.name, {})
        if entry.get("seconds_left") is not None:
            return entry["seconds_left"]
        done = [one for one in self.stages.values() if one["kind"] == stage.kind and one["state"] == "done"]
        expected = sum(one["expected"] for one in done)
        estimate = stage.seconds * (sum(one["seconds"] for one in done) / expected if expected else 1.0)
        return max(estimate, AFTER_A_STOP * entry.get("stopped_after", 0.0))

    def save(self) -> None:
        write_json(self.path, self.content)
