"""What kept_sharp says in words and as rows."""

from collections.abc import Iterator, Mapping
from typing import Any

from lta.evaluators.table import align_columns, flatten_estimate, format_estimate

WAYS = ("applied", "tuned")
COLUMNS = {"kept": "object kept sharp", "blurred": "rest blurred", "mean": "mean of both", "over_centre": "over the centre"}


def rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One a class ("" for all pictures), map, and way of using it."""
    return [
        {"class": name, "map": map_name, "kind": one["kind"], "way": way, "n": one[way]["mean"]["n"]}
        | {
            key: value
            for column in COLUMNS
            for key, value in flatten_estimate(one[way][column], column, f"{column}_low", f"{column}_high").items()
        }
        for name, found in _parts(figures)
        for map_name, one in found.items()
        for way in WAYS
    ]


def lines(figures: Mapping[str, Any]) -> list[str]:
    """A table of all maps for each way to choose a threshold, and for each class."""
    text = [f"{figures['pictures']:,} pictures under autoblur; per cent, with 95 % intervals"]
    for name, found in _parts(figures):
        n = next(iter(found.values()))["applied"]["mean"]["n"]
        head = f"{name} ({n})" if name else "all"
        for way, words in zip(WAYS, ("as lta.apply uses maps", "each map's threshold from the other half"), strict=True):
            if name and way == "applied":
                continue  # classes: the fair comparison alone
            table = [[f"{head}: {words}", *COLUMNS.values()]]
            table += [
                [
                    map_name,
                    *(format_estimate(one[way][column], "+.1f" if column == "over_centre" else ".1f") for column in COLUMNS),
                ]
                for map_name, one in found.items()
            ]
            text += align_columns(table, indent="")
    return text


def _parts(figures: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "", figures["maps"]
    yield from figures.get("classes", {}).items()
