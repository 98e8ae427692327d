"""Which values of 16-bit grey are black and white: scanners and microscopes often fill a small part of the range."""

from collections.abc import Mapping, Sequence
from typing import Any

Range = tuple[float, float]
"""The lowest and the highest value."""


def find_grey_range(hparams: Mapping[str, Any]) -> Range | None:
    """In which range a network was shown 16-bit grey in training; `hparams` as a `TrainedClassifier` has them."""
    return parse_range(hparams.get("config", {}).get("data", {}).get("grey_range"))


def parse_range(given: Sequence[float] | None) -> Range | None:
    """(lowest, highest) as floats, or None. Raises ValueError for anything else."""
    if given is None:
        return None
    numbers = [] if isinstance(given, (str, int, float)) else [*given]
    if len(numbers) != 2 or not all(isinstance(one, (int, float)) for one in numbers) or not numbers[0] < numbers[1]:
        raise ValueError(f"data.grey_range={given} must be [lowest, highest] of the pictures' own values, or null")
    return float(numbers[0]), float(numbers[1])
