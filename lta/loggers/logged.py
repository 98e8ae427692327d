"""What a logger already has of a run that is resumed."""

from typing import NamedTuple


class LoggedRows(NamedTuple):
    """The epochs whose row a logger has, and whether it has the row of the test set."""

    epochs: frozenset[int]
    tested: bool


NOTHING = LoggedRows(frozenset(), tested=False)
