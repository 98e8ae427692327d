"""What lta itself has drawn into folders of pictures: these are none of the user's."""

from pathlib import Path

PREDICTIONS = ("predictions.csv", "predictions.jsonl")
"""The tables that lta.predict writes, one of them or both."""
SHEET, OVERLAYS = "sheet.png", "overlays"
"""The picture and the folder of pictures that it draws beside them."""


def is_run(folder: Path) -> bool:
    """Whether lta has written it as a run's directory, also of one that only begins: its pictures are drawings."""
    written = [folder / name for name in ("run.json", "config.yaml")]
    return all(map(Path.is_file, written)) or ((folder / ".lock").is_file() and any(folder.glob("run*.log")))


def list_drawn(folder: Path) -> frozenset[str]:
    """The names in a folder that lta.predict has drawn there; none where it has written no table beside them."""
    if not any((folder / name).is_file() for name in PREDICTIONS):
        return frozenset()
    return frozenset(name for name in (SHEET, OVERLAYS) if (folder / name).exists())
