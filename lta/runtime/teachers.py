"""What maps were taught by, in words: every map is named by it wherever it is shown."""

from collections.abc import Mapping
from typing import Any

UNTAUGHT = "nothing (the length of a pretrained network's features)"


def name_teachers(taught: Mapping[str, Any] | None) -> str:
    """ "labels", "labels and 8 masks" or "8 masks", of a checkpoint's or a run's `taught_by`."""
    labels = ["labels"] if taught and taught["labels"] else []
    count = taught["masks"] if taught else 0
    masks = [f"{count:,} mask{'s' * (count > 1)}"] if count else []
    return " and ".join(labels + masks) or UNTAUGHT
