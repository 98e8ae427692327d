"""What the earlier parts of a resumed W&B run hold already, so that nothing is sent twice and nothing is left out."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lta.loggers.logged import LoggedRows

log = logging.getLogger(__name__)


def parts(directory: Path) -> list[Path]:
    """The folders that W&B has made for this run directory, one at each start."""
    return sorted(path for path in (directory / "wandb").glob("*run-*") if path.is_dir())


def read_logged_rows(earlier: Sequence[Path], run: Any) -> LoggedRows | None:
    """What `run` has from its `earlier` parts; None where one of them can't be read.

    What an online run sent is asked of the server: of its local copy nobody knows how much arrived. Parts that were
    written offline count in any case: they are uploaded later, or have been.
    """
    online = not run.offline
    epochs, tested = set(), False
    try:
        for part in earlier:
            if online and not part.name.startswith("offline-"):
                continue
            for row in rows(part):
                tested |= "test/error" in row
                epochs |= {int(row["epoch"])} if "time/seconds" in row else set()
    except (subprocess.SubprocessError, ValueError) as error:
        log.warning("W&B: what %s holds can't be read (%s): no earlier epoch is sent again", part, type(error).__name__)
        return None
    last = run.summary.get("epoch") if online and run.resumed else None
    if last is None and online and run.resumed and any(not part.name.startswith("offline-") for part in earlier):
        return None  # W&B answers with an empty summary where the server is slow
    if last is not None:
        epochs |= set(range(int(last) + 1))
        tested |= run.summary.get("test/error") is not None
    return LoggedRows(frozenset(epochs), tested)


def rows(part: Path) -> Iterator[dict[str, Any]]:
    """The rows that are on disk there, by the viewer that W&B ships; one cut off by a kill is none."""
    if not any(part.glob("run-*.wandb")):
        return
    viewer = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(part)]
    for line in subprocess.run(viewer, capture_output=True, text=True, check=True, timeout=300).stdout.splitlines():
        record = json.loads(line)
        if record["type"] == "history":
            yield record["history"]["item"]
