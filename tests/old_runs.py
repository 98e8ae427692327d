"""What an earlier commit left behind: runs, and what it made of them (`tests/fixtures/runs_051d123/README.md`)."""

import json
from pathlib import Path
from typing import Any

RUNS = Path(__file__).resolve().parent / "fixtures" / "runs_051d123"

CHECKPOINTS = sorted(RUNS.rglob("*.ckpt"))


def read_recorded(name: str) -> Any:
    return json.loads((RUNS / "recorded" / f"{name}.json").read_text())
