"""Pictures of localisation: where maps and objects lie, and IoU by threshold."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from PIL import Image

from lta.evaluators.localisation.table import display_name
from lta.measures.placement import Placement
from lta.runtime.teachers import add_teachers
from lta.viz.panel import Example, panel

STYLES = {"combination": "--", "explanation": ":", "untrained": "-."}


def sheet(
    images: np.ndarray,
    masks: np.ndarray,
    maps: Mapping[str, np.ndarray],
    labels: Sequence[str],
    predicted: Sequence[str],
    confidence: np.ndarray,
    placements: Mapping[str, Placement],
    taught: Any = None,
) -> Image.Image:
    """A line a picture: it and each of the maps, whose `placements` are by name, the object outlined in all. `taught`: what
    the checkpoint says of its maps' teachers."""
    examples = []
    for k, (image, mask) in enumerate(zip(images, masks, strict=True)):
        drawn = {name: one[k] for name, one in maps.items()}
        examples.append(Example(image, drawn, labels[k], predicted[k], float(confidence[k]), mask, placements))
    return panel(examples, add_teachers("Maps and objects (outlined)", taught))


def curves(figures: Mapping[str, Any]) -> Image.Image:
    """Mean IoU, or the share of boxes that fit, at every threshold; along the axis they are equally far from each other."""
    found, colours = figures["curves"], colormaps["tab10"]
    figure = Figure(figsize=(9, 5), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    at = np.linspace(0, 1, len(found["threshold"]))
    for number, (name, curve) in enumerate(found["maps"].items()):
        one = figures["maps"][name]
        axes.plot(at, curve, STYLES.get(one["kind"], "-"), color=colours(number % 10), label=display_name(name, one))
        axes.plot(at, found["shuffled"][name], STYLES.get(one["kind"], "-"), color=colours(number % 10), lw=0.7, alpha=0.5)
    axes.plot(at, found["uniform"], color="black", lw=1, label="uniform")
    axes.plot(at, found["centre_prior"], color="black", lw=2, label="centre prior")
    axes.plot([], [], color="grey", lw=0.7, alpha=0.8, label="thin: the map of another image")
    ticks = np.array([1e-6, 0.001, 0.01, 0.05, 0.2, 0.5, 1])
    axes.set_xticks(np.interp(ticks, found["threshold"], at), [f"{tick:g}" for tick in ticks])
    judged = "mean IoU with the object" if figures["known_by"] == "masks" else "share of boxes that fit at 0.5"
    axes.set(xlabel="threshold (share of a map's range)", ylabel=judged, xlim=(0, 1), ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    stored = io.BytesIO()
    figure.savefig(stored, format="png")
    return Image.open(stored).convert("RGB")
