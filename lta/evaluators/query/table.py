"""What the query evaluator found, as rows and as text."""

from collections.abc import Iterator, Mapping
from typing import Any

from lta.evaluators.query.replaced import KINDS
from lta.evaluators.table import flatten_estimate, format_estimate

AUTHORS = {"B": 1.000, "C": 0.998}
"""Correlation of the maps of two queries on the same images, from the maps that the authors committed: att2-concat-dp on
CIFAR-10, queries of a bear and of a person, ten images (author_spec section 9)."""
MAP_MEASURES = ("tv", "correlation", "rank_correlation", "total")
PAIR_MEASURES = ("query", "other", "difference", "named", "not_named")


def rows(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One a figure."""
    return [
        {
            "level": level,
            "g": g,
            "measure": measure,
            **flatten_estimate(figure),
            "n": figure["n"],
        }
        for level, g, measure, figure in _iter_estimates(figures)
    ]


def _iter_estimates(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
    for level, about in figures["levels"].items():
        if about["query"] is None:
            continue
        kinds = about["replaced_by"] | {"own, other picture": about["other_picture"]}
        for kind, found in kinds.items():
            yield from ((level, kind, name, found[name]) for name in MAP_MEASURES if name in found)
        yield level, "own", "gain", about["gain"]
    for source, kinds in figures["predictions"].items():
        for kind, found in kinds.items():
            yield f"g_{source}", kind, "class changed, percent", found["changed"]
            yield f"g_{source}", kind, "tv of probabilities", found["tv"]
    for level, found in (figures["pairs"] or {"levels": {}})["levels"].items():
        for score in ("energy", "pointing"):
            yield from ((level, "of a class", f"{score} {name}", found[score][name]) for name in PAIR_MEASURES)


def lines(figures: Mapping[str, Any], images: int) -> list[str]:
    """The figures as lines for the screen; `images` is how many there were."""
    levels = figures["levels"]
    there = {level: about for level, about in levels.items() if about["query"] is not None}
    text = []
    if there:
        text += [
            f"{images:,} images, g replaced and all else kept. moves: share of the attention that lies elsewhere (0 to 1);",
            "r, rank: correlation of the two maps; gain: relative change of the map per relative change of g (d map / d g)",
            f"{'level':12}{'':22}{'moves (95 %)':28}{'at most':>9}{'r':>9}{'rank':>9}{'gain':>10}",
        ]
    for level, about in there.items():
        for kind, words in KINDS.items():
            name = f"{level} {about['map'][0]}x{about['map'][1]}" if kind == "another" else ""
            gain = _number(about["gain"]["value"]) if kind == "another" else ""
            text.append(f"{name:12}{words:22}{_format_change(about['replaced_by'][kind])}{gain:>10}")
        text.append(f"{'':12}{'(other image, own g)':22}{_format_change(about['other_picture'])}")
    for source, kinds in figures["predictions"].items():
        changed = ", ".join(
            f"{KINDS[kind]} {format_estimate(found['changed'], '.2f', '-', ' %')}" for kind, found in kinds.items()
        )
        text.append(f"g_{source} replaced, read by {', '.join(_readers(there, source))}: class changes: {changed}")
    text += [_format_verdict(level, about["verdict"]) for level, about in levels.items()]
    if any(about["verdict"]["words"] not in ("inert", "left out") for about in levels.values()):
        ours = ", ".join(
            f"{_number(one['replaced_by']['another']['correlation']['value'])} ({k})" for k, one in there.items()
        )
        theirs = ", ".join(f"{value:.3f} ({level})" for level, value in AUTHORS.items())
        text.append(f"maps of one image under two queries correlate at {ours}; the authors' dp maps at {theirs}")
    if figures["pairs"]:
        return text + _pairs(figures["pairs"])
    if there:
        return [
            *text,
            "whether maps move to the object of the query's class: asked where images show two (data=digit_pairs)",
        ]
    return text


def _pairs(pairs: Mapping[str, Any]) -> list[str]:
    left_out = f" ({pairs['left_out']:,} left out, without two objects of different classes)" if pairs["left_out"] else ""
    text = [
        f"does the map move to the object of the query's class? {pairs['images']:,} pictures of two objects{left_out},",
        f"each under two queries, one of each class, of {pairs['queries_of']}",
        f"{'':22}{'its object':>11}{'the other':>11}   {'difference (95 %)':32}{'uniform':>8}  own g: object named, other",
    ]
    for level, found in pairs["levels"].items():
        for score, words in (("energy", "energy"), ("pointing", "pointing game")):
            one = found[score]
            own = f"{_number(one['named']['value'])}, {_number(one['not_named']['value'])}"
            text.append(f"{level + ' ' + words:22}{_format_comparison(one)}{one['uniform']:8.4f}  {own}")
    named = pairs["predictions"]
    text.append(
        f"{'class that is named':22}{_format_comparison(named)}{'':8}  "
        f"own g: one of the two {named['own_names_one']['value']:.4f}"
    )
    return text + [f"{level}: the map {found['verdict']}" for level, found in pairs["levels"].items()]


def _format_comparison(one: Mapping[str, Any]) -> str:
    difference = format_estimate(one["difference"], _format_signed)
    return f"{one['query']['value']:11.4f}{one['other']['value']:11.4f}   {difference:32}"


def _format_change(found: Mapping[str, Any]) -> str:
    moved = format_estimate(found["tv"], _number, "-")
    r, rank = (_number(found[name]["value"]) for name in ("correlation", "rank_correlation"))
    return f"{moved:28}{_number(found['tv_max']):>9}{r:>9}{rank:>9}"


def _format_verdict(level: str, verdict: Mapping[str, Any]) -> str:
    verb = {"left out": "was ", "inert": "is "}.get(verdict["words"], "")
    return f"{level}: the query {verb}{verdict['words']}: {verdict['why']}"


def _readers(levels: Mapping[str, Any], source: str) -> list[str]:
    return [level for level, about in levels.items() if about["query"] == source]


def _number(value: float | None) -> str:
    """Of 0 to about 1; None, of which there is none (a correlation with a constant map), is a dash."""
    if value is None:
        return "-"
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"


def _format_signed(value: float) -> str:
    return f"{value:+.4f}" if value == 0 or abs(value) >= 1e-4 else f"{value:+.0e}"
