"""The confusion matrix, the calibration curve, and the pictures that a network is surely wrong of or not sure of."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure
from PIL import Image

from lta.measures.label_sets import HALF, join_labels, list_names
from lta.measures.placement import find_placements
from lta.protocols import Split, TrainedClassifier
from lta.viz.panel import Example, panel

COUNTED, NAMED = 25, 60
"""Classes up to which counts stand in the cells, and names at the sides."""

COLOUR = "#0072b2"


def draw_confusion(counts: Int[np.ndarray, "classes classes"], names: Sequence[str]) -> Image.Image:
    """Rows are true classes; a cell's colour is its share of the row."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = min(16.0, max(4.5, 2.2 + 0.42 * len(names)))
    figure = Figure(figsize=(side + 0.8, side), dpi=110, layout="constrained")
    axes = figure.subplots()
    shown = axes.imshow(100 * shares, vmin=0, vmax=100, cmap="Blues")
    figure.colorbar(shown, ax=axes, label="% of the true class", shrink=0.8)
    axes.set(xlabel="predicted", ylabel="true", title=f"Confusion matrix, {counts.sum():,} images")
    if len(names) <= NAMED:
        axes.set_xticks(range(len(names)), [_shorten(name) for name in names], rotation=90)
        axes.set_yticks(range(len(names)), [_shorten(name) for name in names])
    if len(names) <= COUNTED:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                colour = "white" if shares[row, column] > 0.5 else "#222222"
                axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=8)
    return _render_figure(figure)


def draw_calibration(calibration: Mapping[str, Any], width: float) -> Image.Image:
    """Of each bin, which is `width` wide: how often the network is right, over how sure it is, with Wilson's intervals, and
    how many images it holds."""
    bins = calibration["bins"]
    sure, right, number = (np.array([one[key] for one in bins]) for key in ("confidence", "accuracy", "n"))
    low, high = np.array([one["interval"] for one in bins]).T
    figure = Figure(figsize=(5.4, 6), dpi=110, layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot([0, 1], [0, 1], color="#8a8a8a", ls="--", lw=1, label="as sure as it is right")
    above.errorbar(sure, right, (right - low, high - right), color=COLOUR, marker="o", ms=4, capsize=2, lw=1.2)
    above.set(
        ylabel="share that is right", xlim=(0, 1), ylim=(-0.02, 1.02), title=f"Calibration: ECE {calibration['value']:.3f}"
    )
    above.legend(frameon=False, loc="upper left")
    below.bar(sure, number, width=0.8 * width, color=COLOUR)
    below.set(xlabel="probability of the likeliest class", ylabel="images")
    for axes in (above, below):
        axes.grid(alpha=0.3)
    return _render_figure(figure)


@torch.no_grad()
def draw_images(
    classifier: TrainedClassifier,
    split: Split,
    places: Int[np.ndarray, " shown"],
    labels: Int[np.ndarray, " images"] | Bool[np.ndarray, "images classes"],
    probabilities: Float[np.ndarray, "images classes"],
    title: str,
) -> Image.Image:
    """The images at `places`, each with its maps, its class and what the network took it for; or its labels and those that
    the network gives it, with the highest probability of any."""
    device = next(classifier.parameters()).device
    images = np.ascontiguousarray(split.images[places])
    output = classifier(torch.from_numpy(images).permute(0, 3, 1, 2).to(device))
    maps = {level: output.attn[level].float().cpu().numpy() for level in classifier.network.levels}
    height, width = images.shape[1:3]
    placements = find_placements(classifier.network, (height, width)) if maps else {}
    names = [str(name) for name in classifier.class_names]
    examples = [
        Example(
            image,
            {level: attn[number] for level, attn in maps.items()},
            _name_label(labels[place], names),
            _name_label(probabilities[place] >= HALF if labels.ndim == 2 else probabilities[place].argmax(), names),
            float(probabilities[place].max()),
            placements=placements,
        )
        for number, (image, place) in enumerate(zip(images, places, strict=True))
    ]
    return panel(examples, title)


def _name_label(label: Any, names: list[str]) -> str:
    return join_labels(list_names(label, names), "none") if label.ndim else names[label]


def _shorten(name: str) -> str:
    r"""As matplotlib takes it: bytes that are no UTF-8 (surrogates) as \xf6, and `$` as a letter, not as a formula's."""
    shown = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    shown = shown if len(shown) <= 18 else f"{shown[:17]}\u2026"
    return shown.replace("$", r"\$")


def _render_figure(figure: Figure) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return Image.open(file).convert("RGB")
