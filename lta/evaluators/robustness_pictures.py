"""Error over eps, and some pictures before and after an attack."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from lta.evaluators.robustness_figures import ATTACKS
from lta.viz.colour import overlay
from lta.viz.panel import RIGHT, WRONG, enlarge

SHOWN = 6
"""Pictures of the sheet."""

COLOURS = {
    "noise": "#999999", "uniform": "#bbbbbb", "fgsm": "#0072b2", "pgd": "#d55e00", "source_fgsm": "#56b4e9",
    "source_pgd": "#e69f00",
}  # fmt: skip
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
    return _picture(figure)


def sheet(
    images: np.ndarray, attacked: np.ndarray, outputs: Sequence[Any], labels: np.ndarray, names: Sequence[str], eps: float
) -> Image.Image:
    """A row for each picture: as it is, attacked, their difference, and each level's map before and after.

    `images` uint8 and `attacked` 0 to 255, (n, height, width, 3); `outputs` of the network for both.
    """
    said = [_said(output, names) for output in outputs]
    levels = list(outputs[0].attn)
    maps = {level: [output.attn[level].float().cpu().numpy() for output in outputs] for level in levels}
    after = np.rint(attacked).clip(0, 255).astype(np.uint8)
    changed = np.rint(127.5 + (attacked - images) * (127.5 / eps)).clip(0, 255).astype(np.uint8)
    headings = ["picture", f"PGD, eps {eps:g}", f"difference, x {127.5 / eps:.0f}"]
    headings += [f"map {level}, {when}" for level in levels for when in ("before", "after")]
    figure = Figure(figsize=(1.55 * len(headings), 1.85 * len(images) + 0.2), dpi=100, layout="constrained")
    grid = figure.subplots(len(images), len(headings), squeeze=False)
    for row, number in zip(grid, range(len(images)), strict=True):
        tiles = [images[number], after[number], changed[number]]
        tiles += [
            overlay(picture[number], maps[level][when][number])
            for level in levels
            for when, picture in enumerate((images, after))
        ]
        for axes, tile in zip(row, tiles, strict=True):
            axes.imshow(enlarge(tile), interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, output in zip(row, said, strict=False):
            text, predicted = output[number]
            axes.set_xlabel(text, fontsize=9, color=RIGHT if predicted == labels[number] else WRONG)
        row[2].set_xlabel(f"is {names[labels[number]]}", fontsize=9)
    for axes, heading in zip(grid[0], headings, strict=True):
        axes.set_title(heading, fontsize=9)
    return _picture(figure)


def _said(output: Any, names: Sequence[str]) -> list[tuple[str, int]]:
    """The predicted class in words and as a number."""
    confidence, predicted = output.logits.float().softmax(1).cpu().max(1)
    found = zip(predicted.tolist(), confidence.tolist(), strict=True)
    return [(f"{names[k]} ({100 * sure:.0f} %)", k) for k, sure in found]


def _picture(figure: Figure) -> Image.Image:
    content = BytesIO()
    figure.savefig(content, format="png")
    return Image.open(content).convert("RGB")
