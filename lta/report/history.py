"""A run's metrics by epoch, so that what draws or averages them meets possible numbers only."""

from collections.abc import Mapping
from itertools import chain
from operator import lt
from typing import Any, TypeGuard

LARGEST = 3.4e38
"""lta computes its metrics with 32 bits."""

LEAST: Mapping[str, float] = {"epoch": 0.0, "time/images": 0.0, "time/seconds": 1e-3}
"""No epoch is over sooner, on any machine."""

LAST_EPOCH = 1e9


def clean_history(rows: Any) -> tuple[list[dict[str, float]], list[str]]:
    """One row an epoch, in their order, of which the last counts; and what had to be changed for that, in words.

    A row without a whole epoch from 0 on is left out, and so is a value that is no finite number, or a negative time.
    """
    if not isinstance(rows, list) or not rows:
        return [], ["results.json has no history: it is in no curve"]
    if _is_as_written(rows):
        return rows, []
    kept: dict[float, dict[str, float]] = {}
    values = numbered = 0
    for row in rows:
        if not isinstance(row, dict) or not _is_epoch(row.get("epoch")):
            continue
        usable = {key: value for key, value in row.items() if _is_possible(key, value)}
        values += len(row) - len(usable)
        numbered += 1
        kept[float(row["epoch"])] = usable
    epochs = sorted(kept)
    without = {
        "no possible number": (values, "value"),
        "no whole epoch": (len(rows) - numbered, "row"),
        "a later one is of the same epoch": (numbered - len(kept), "row"),
    }
    said = [f"{count} {what}{'s' * (count > 1)} ({why})" for why, (count, what) in without.items() if count]
    notes = [f"its history is read without {', '.join(said)}"] if said else []
    if epochs != list(kept):
        notes.append("its history is not in the order of its epochs: it was sorted")
    if not epochs:
        notes.append("results.json has no history: it is in no curve")
    return [kept[epoch] for epoch in epochs], notes


def is_number(value: Any) -> TypeGuard[float]:
    """A finite one, of a size that a 32-bit float can have."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LARGEST


def _is_epoch(value: Any) -> bool:
    return is_number(value) and 0 <= value <= LAST_EPOCH and value == int(value)


def _is_as_written(rows: list[Any]) -> bool:
    """As lta writes them; all at once, which takes a fifth of the time. NaN and infinity are in no sum below LARGEST."""
    if set(map(type, rows)) != {dict}:
        return False
    numbers = list(chain.from_iterable(map(dict.values, rows)))
    if set(map(type, numbers)) != {float} or not sum(map(abs, numbers)) <= LARGEST:
        return False
    epochs = [row.get("epoch", -1.0) for row in rows]
    in_order = epochs[0] >= 0 and epochs[-1] <= LAST_EPOCH and all(map(lt, epochs, epochs[1:]))
    return (
        in_order
        and all(map(float.is_integer, epochs))
        and all(min(row.get(key, least) for row in rows) >= least for key, least in LEAST.items())
    )


def _is_possible(key: str, value: Any) -> bool:
    return is_number(value) and value >= LEAST.get(key, -LARGEST)
