"""Error over eps, and some pictures before and after an attack."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image

from lta.evaluators.robustness.table import ATTACKS
from lta.measures.placement import Placement
from lta.viz.colour import overlay
from lta.viz.sheet import Tile, sheet

SHOWN = 6
"""Pictures of the sheet."""

COLOURS = {
    "noise": "#999999",
    "uniform": "#bbbbbb",
    "fgsm": "#0072b2",
    "pgd": "#d55e00",
    "source_fgsm": "#56b4e9",
    "source_pgd": "#e69f00",
}
"""Of Okabe and Ito's palette."""


def curve(attacks: Mapping[str, Any], title: str) -> Image.Image:
    """Error in percent over eps with its intervals; eps on a logarithmic axis that has a zero."""
    figure = Figure(figsize=(7.2, 4.4), dpi=120, layout="constrained")
    axes = figure.subplots()
    for attack, by_eps in attacks.items():
        eps = [float(one) for one in by_eps]
        errors = [figure["error"] for figure in by_eps.values()]
        low, high = zip(*(error["interval"] for error in errors), strict=True)
        style = "--" if attack.startswith("source") else ":" if attack == "uniform" else "-"
        label = f"{ATTACKS[attack]} ({errors[0]['n']:,} images)"
        axes.plot(eps, [error["value"] for error in errors], style, marker="o", ms=4, color=COLOURS[attack], label=label)
        axes.fill_between(eps, low, high, color=COLOURS[attack], alpha=0.18, lw=0)
    axes.set_xscale("symlog", base=2, linthresh=eps[1])
    axes.set_xticks(eps, [f"{one:g}" for one in eps])
    axes.minorticks_off()
    axes.set(ylim=(0, 101), xlim=(0, None), xlabel="eps: the most that a pixel value moves, grey levels of 255")
    axes.set(ylabel="error, %", title=f"error over eps, bands are 95 % intervals; {title}")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.01, 1))
    return _render_figure(figure)


def render_before_and_after(
    images: np.ndarray,
    attacked: np.ndarray,
    outputs: Sequence[Any],
    labels: np.ndarray,
    names: Sequence[str],
    eps: float,
    placements: Mapping[str, Placement],
) -> Image.Image:
    """A row for each picture: as it is, attacked, their difference, and each level's map before and after.

    `images` uint8 and `attacked` 0 to 255, (n, height, width, 3); `outputs` of the network for both; `placements` by level.
    """
    levels = list(outputs[0].attn)
    maps = {level: [output.attn[level].float().cpu().numpy() for output in outputs] for level in levels}
    after = np.rint(attacked).clip(0, 255).astype(np.uint8)
    changed = np.rint(127.5 + (attacked - images) * (127.5 / eps)).clip(0, 255).astype(np.uint8)
    headings = ["picture", "attacked", f"difference, {127.5 / eps:.0f} \u00d7"]
    headings += [f"map {level}, {when}" for level in levels for when in ("before", "after")]
    said = [
        _make_prediction_tiles(output, pictures, labels, names)
        for output, pictures in zip(outputs, (images, after), strict=True)
    ]
    rows = [
        [said[0][number], said[1][number], Tile(changed[number], f"is {names[labels[number]]}")]
        + [
            Tile(overlay(pictures[number], maps[level][when][number], placement=placements.get(level)))
            for level in levels
            for when, pictures in enumerate((images, after))
        ]
        for number in range(len(images))
    ]
    title = f"Before and after PGD, eps {eps:g} of 255"
    return sheet(rows, headings, title, ("map", "right", "wrong") if levels else ("right", "wrong"))


def _make_prediction_tiles(
    output: Any, pictures: UInt8[np.ndarray, "n height width 3"], labels: np.ndarray, names: Sequence[str]
) -> list[Tile]:
    """The pictures with their predicted classes."""
    confidence, predicted = (part.cpu().numpy() for part in output.logits.float().softmax(1).max(1))
    return [
        Tile(picture, f"{names[k]}  {100 * sure:.0f} %", bool(k == label))
        for picture, k, sure, label in zip(pictures, predicted, confidence, labels, strict=True)
    ]


def _render_figure(figure: Figure) -> Image.Image:
    content = BytesIO()
    figure.savefig(content, format="png")
    return Image.open(content).convert("RGB")
