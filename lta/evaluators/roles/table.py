"""What was measured on roles, as rows, as text, and as a picture."""

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from lta.evaluators.table import flatten_estimate, format_interval
from lta.measures.role_verdicts import UNDECIDED, WORDS

CONTROLS = {"shuffled": "shuffled maps", "centre_prior": "centre prior"}
COLOURS = {"main": "#d55e00", "side": "#0072b2", "background": "#707070"}
"""Vermilion and blue of Okabe and Ito's palette, and grey: colour-blind eyes tell them apart, and so does their place."""


def rows(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One a level and role that is there."""
    return [
        {
            "level": level,
            "map": "x".join(map(str, of_level["map"])),
            "role": role,
            "attention": own["share"],
            "area": own["area"],
            **flatten_estimate(own, "density"),
        }
        | {name: of_level[control][role]["value"] for control, name in zip(CONTROLS, ("shuffled", "prior"), strict=True)}
        | {"n": own["n"], "verdict": of_level["verdict"]["words"]}
        for level, of_level, role, own in _iter_densities(found)
    ]


def lines(found: Mapping[str, Any]) -> list[str]:
    """The densities with their controls, the verdict on each level, and that on all levels together."""
    text = [
        "density = share of attention / share of the area that the map's cells cover, uniform attention = 1",
        f"(95 % intervals over {found['sources']:,} sources of main objects, {found['images']:,} images)",
        f"{'':24}{'attention':>10}{'area':>9}{'density':>10}{'':15}" + "".join(f"{name:>15}" for name in CONTROLS.values()),
    ]
    last = None
    for level, of_level, role, own in _iter_densities(found):
        name = "" if level == last else f"{level} {of_level['map'][0]}x{of_level['map'][1]}"
        text.append(
            f"{name:10}{WORDS[role]:14}{100 * own['share']:8.1f} %{100 * own['area']:7.1f} %{own['value']:10.2f} "
            f"{format_interval(own, '.2f', '-'):14}"
            + "".join(f"{of_level[control][role]['value']:15.2f}" for control in CONTROLS)
        )
        last = level
    text += [
        f"{f'verdict on {level}':24}{_verdict(of_level, found['margin'])}" for level, of_level in found["levels"].items()
    ]
    claim = found["apart"]
    share = (
        ""
        if claim["share_of_draws"] is None
        else f" (in {100 * claim['share_of_draws']:.0f} % of bootstrap draws each role leads at a level)"
    )
    return [*text, f"{'levels show roles apart':24}{claim['words']}: {claim['why']}{share}"]


def summary_lines(found: Mapping[str, Any]) -> list[str]:
    """The densities alone, a line a level, for the summary of a run; "-" for a role that no image has."""
    chosen = f"; * = level chosen on {found['chosen_on']}" if found["level"] else ""
    text = [
        "where attention lies: density on a role, uniform attention = 1",
        f"(95 % intervals over {found['sources']} source digits, {found['images']:,} test images{chosen})",
        f"{'':10}{'main object':>20}{'side objects':>14}{'background':>12}{'shuffled maps':>16}{'centre prior':>14}",
    ]
    for level, of_level in found["levels"].items():
        main = of_level["density"]["main"]
        name = f"{'*' if level == found['level'] else ' '} {level} {of_level['map'][0]}x{of_level['map'][1]}"
        others = (of_level["density"][role] for role in ("side", "background"))
        text.append(
            f"{name:10}{main['value']:7.2f} {format_interval(main, '.2f', '-')}"
            + "".join(f"{other['value']:12.2f}" if other else f"{'-':>12}" for other in others)
            + f"{of_level['shuffled']['main']['value']:16.2f}{of_level['centre_prior']['main']['value']:14.2f}"
        )
    return text


def _verdict(of_level: Mapping[str, Any], margin: float) -> str:
    verdict = of_level["verdict"]
    leading, (next_role, (low, high)) = verdict["leading"], min(verdict["ahead_of"].items(), key=lambda item: item[1][0])
    by = f"by {low:.2f} to {high:.2f}"
    if verdict["words"] == UNDECIDED:
        flat = of_level["density"][leading]["interval"][0] <= 1 + margin
        lacks = "uniform attention" if flat else f"that on {WORDS[next_role]} ({by})"
        return f"{UNDECIDED}: densest on {WORDS[leading]}, but not clearly above {lacks}"
    if verdict["beyond_controls"]:
        return f"{verdict['words']}: above {WORDS[next_role]} {by}, and above shuffled maps and centre prior"
    not_above = " and ".join(CONTROLS[name] for name, (low, _) in verdict["ahead_of_control"].items() if low <= margin)
    return f"{verdict['words']}, but not clearly above {not_above}: position alone may explain it"


def plot_densities(found: Mapping[str, Any]) -> Image.Image:
    """A dot and its interval by level and role, controls beside it, and a line where uniform attention would lie."""
    levels = list(found["levels"])
    figure = Figure(figsize=(2.6 + 2.4 * len(levels), 4.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.axhline(1, color="#222222", linewidth=1, zorder=1)
    axes.annotate(
        "uniform", (1, 1), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points", va="center"
    )
    place = {role: 0.28 * (number - 1) for number, role in enumerate(WORDS)}
    labelled = set()
    for level, of_level, role, own in _iter_densities(found):
        x, (low, high) = levels.index(level) + place[role], own["interval"]
        error = [[max(own["value"] - low, 0)], [max(high - own["value"], 0)]]  # equal up to rounding where maps are uniform
        label = None if role in labelled else WORDS[role]
        axes.errorbar(x, own["value"], error, fmt="o", color=COLOURS[role], markersize=7, capsize=4, label=label, zorder=3)
        for control, (marker, name) in zip(CONTROLS, (("_", "shuffled maps"), ("x", "centre prior")), strict=True):
            label = None if name in labelled else name
            axes.plot(
                x + 0.09, of_level[control][role]["value"], marker, color="#999999", markersize=8, label=label, zorder=2
            )
            labelled.add(name)
        labelled.add(role)
    ticks = [
        f"{level}  {of['map'][0]}\u00d7{of['map'][1]}\n{of['verdict']['words']}"
        + (", perhaps by position alone" if of["verdict"]["beyond_controls"] is False else "")
        for level, of in found["levels"].items()
    ]
    axes.set_xticks(range(len(levels)), ticks)
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("density of attention")
    axes.set_title(f"Where attention lies ({found['images']:,} images, 95 % intervals)", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles[2:] + handles[:2], labels[2:] + labels[:2], loc="outside lower center", ncols=5, frameon=False, fontsize=9
    )
    stream = BytesIO()
    figure.savefig(stream, format="png")
    return Image.open(stream).convert("RGB")


def _iter_densities(found: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str, dict[str, Any]]]:
    """(level, what was found there, role, its density) of the roles that are there, main objects first."""
    for level, of_level in found["levels"].items():
        for role in WORDS:
            if of_level["density"][role] is not None:
                yield level, of_level, role, of_level["density"][role]
