"""What maps were taught by, in words: every map is named by it wherever it is shown."""

from typing import Any

UNTAUGHT = "nothing (the length of a pretrained network's features)"

NOTHING_TRAINED = "feature length, nothing trained"
"""The name of such a map."""


def name_teachers(taught: Any) -> str | None:
    """ "labels", "labels and 8 masks" or "8 masks", of the `taught_by` of a run's results or a checkpoint's
    hyper-parameters. None where they don't say it, as those of earlier versions, or where no map learns."""
    if not isinstance(taught, dict):
        return None
    count = taught.get("masks", 0)
    if type(count) is not int or count < 0:  # a file may hold anything
        return None
    labels = ["labels"] if taught.get("labels") is True else []
    masks = [f"{count:,} mask{'s' * (count > 1)}"] if count else []
    return " and ".join(labels + masks) or UNTAUGHT


def add_teachers(said: str, taught: Any) -> str:
    """`said` with what the maps were taught by."""
    named = name_teachers(taught)
    return said if named is None else f"{said}; maps taught by {named}"


def is_untaught(taught: Any) -> bool:
    """Whether it is known that nothing has taught them."""
    return name_teachers(taught) == UNTAUGHT
