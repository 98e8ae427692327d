"""The answer of the query evaluator as rows and lines."""

from typing import Any

AUTHORS = "the authors' committed dp maps of two queries correlate at 0.997 to 1.000 (levels C and B)"


def show(
    levels: dict[str, Any], prediction: dict[str, Any], pairs: dict[str, Any] | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows: one a level and replacement. Lines: a verdict a level, the change of prediction, and the pairs."""
    rows = [
        {
            "level": level,
            "query": kind,
            "attention moved": found["total_variation"]["value"],
            "low": found["total_variation"]["interval"][0],
            "high": found["total_variation"]["interval"][1],
            "largest": found["largest"],
            "correlation": found["correlation"]["value"],
            "rank correlation": found["rank_correlation"]["value"],
            "n": found["total_variation"]["n"],
        }
        for level, figures in levels.items()
        for kind, found in figures.items()
        if kind in ("other", "zero", "noise")
    ]
    lines = [f"{'attention moved by':20}{'another query':>24}{'zero':>10}{'noise':>10}{'sensitivity':>13}"]
    for level, figures in levels.items():
        if "other" in figures:
            other, zero, noise = (figures[kind]["total_variation"]["value"] for kind in ("other", "zero", "noise"))
            low, high = figures["other"]["total_variation"]["interval"]
            sensitive = figures["sensitivity"]["value"]
            spread = f"{other:.2e} ({low:.1e}-{high:.1e})"
            lines.append(f"  level {level:12}{spread:>24}{zero:10.1e}{noise:10.1e}{sensitive:13.1e}")
    lines += [f"  level {level}: {figures['in_words']}" for level, figures in levels.items()]
    if any(figures["verdict"] in ("acts", "hardly acts") for figures in levels.values()):
        lines.append(f"  ({AUTHORS})")
    for source, kinds in prediction.items():
        changes = kinds["other"]["class_changes"]
        lines.append(
            f"another image's g_{source} changes the class of {changes['value']:.2f} % of the images "
            f"({changes['interval'][0]:.2f}-{changes['interval'][1]:.2f}, n {changes['n']:,}); zero "
            f"{kinds['zero']['class_changes']['value']:.2f} %, noise {kinds['noise']['class_changes']['value']:.2f} %"
        )
    if pairs is None:
        lines.append("does the map move to the object of the query's class? asked with data=digit_pairs")
        return rows, lines
    lines.append(
        f"images of two objects: share of the objects' attention that lies on the labelled one, by the query's class "
        f"({pairs['pairs']:,} images)"
    )
    for level, found in pairs["levels"].items():
        moved, points = (f"{found[key]['value']:+.4f} ({_interval(found[key])})" for key in ("moved", "pointing"))
        lines.append(
            f"  level {level}: its class {found['labelled']['value']:.4f}, the other's {found['other']['value']:.4f}, "
            f"difference {moved}; maximum on it {points}; by area {found['by_area']:.3f}"
        )
    return rows, lines


def _interval(figure: dict[str, Any]) -> str:
    low, high = figure["interval"]
    return f"{low:+.4f} to {high:+.4f}"
