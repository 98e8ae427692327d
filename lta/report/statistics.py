"""What several seeds say: mean, standard deviation, and how sure they are."""

from collections.abc import Sequence
from math import fsum, sqrt
from typing import NamedTuple

T95 = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
    2.120,
    2.110,
    2.101,
    2.093,
    2.086,
    2.080,
    2.074,
    2.069,
    2.064,
    2.060,
    2.056,
    2.052,
    2.048,
    2.045,
    2.042,
)
"""Student's t, two-sided 95 %, for 1 to 30 degrees of freedom: tabled, since scipy takes half a second to import."""


class Summary(NamedTuple):
    """`sd`, `interval` (of the mean, 95 %) and `next_run` (where one more run falls, 95 %) are None of fewer than two."""

    mean: float
    sd: float | None
    n: int
    interval: tuple[float, float] | None
    next_run: tuple[float, float] | None


def student_t(degrees: int) -> float:
    """Beyond the table the value at the table's end, which is a little too large."""
    return T95[min(degrees, len(T95)) - 1]


def summarise_values(values: Sequence[float]) -> Summary:
    """Mean and sample standard deviation, with 95 % intervals of the mean and of one further value (Student's t)."""
    n, mean = len(values), fsum(values) / len(values)
    if n < 2:
        return Summary(mean, None, n, None, None)
    sd = sqrt(fsum((value - mean) * (value - mean) for value in values) / (n - 1))
    half, wide = (student_t(n - 1) * sd * sqrt(factor) for factor in (1 / n, 1 + 1 / n))
    return Summary(mean, sd, n, (mean - half, mean + half), (mean - wide, mean + wide))
