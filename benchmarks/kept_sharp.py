"""How much of an object stays sharp under autoblur, and how much of the rest is blurred, where masks say what the object is.

    python benchmarks/kept_sharp.py RUN FOLDER [--json FILE]

FOLDER holds images/, masks/ and, if there is one, LABELS.csv, as data=mask_folder reads them. The ways to look at pictures
(lta.inference.windows: scales, levels) are compared by the area under the ROC curve of their maps on every second picture;
the best one is judged on the others, beside attention in the centre, an untrained network's, and the way that lta.apply
takes by default.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lta.apply.sources import make_mask
from lta.data.masked_pictures import list_masked_images, open_fitting_mask
from lta.inference.checkpoint import build_untrained, load
from lta.inference.windows import run_at_scales
from lta.measures import intervals
from lta.measures.localisation import pixel_auc
from lta.measures.pixel_maps import combine
from lta.pictures.read import read_image

SCALES = ([1], [2], [3], [4], [1, 2], [1, 2, 3], [1, 2, 4])
DEFAULT = {"levels": None, "combine": "product", "low": 0.5, "high": 0.95, "edges": None, "feather": 0.0, "invert": False}
COLUMNS = ("area under the curve", "object kept sharp", "rest blurred")
SHARP = 0.5
"""Attention from which discs are smaller than half of autoblur's largest."""


def maps_by_way(classifier, picture, scales=SCALES):
    """Maps by (scales, level or "product"); of several scales the mean, as `see` has it."""
    alone = {
        scale: run_at_scales(classifier, picture.rgb, [scale]).maps for scale in sorted({n for some in scales for n in some})
    }
    found = {}
    for some in scales:
        maps = {level: torch.stack([alone[n][level] for n in some]).mean(0) for level in alone[some[0]]}
        found |= {(tuple(some), level): values for level, values in maps.items()}
        if len(maps) > 1:
            found[tuple(some), "product"] = combine([values[None] for values in maps.values()], "product")[0]
    return found


def centre(picture):
    """Falls from the middle to the edges, as fast in width as in height."""
    rows, columns = (torch.linspace(-1, 1, side) for side in picture.rgb.shape[1:])
    return torch.exp(-(rows[:, None] ** 2) - columns**2)


def kept_and_blurred(values, picture, mask):
    """Of the object and of the rest, in per cent of their pixels; `values`: a map on any grid."""
    sharp = make_mask({"map": values}, picture, DEFAULT).mask >= SHARP
    return 100 * sharp[mask].float().mean().item(), 100 * (~sharp)[~mask].float().mean().item()


def auc(values, mask):
    small = Image.fromarray(mask.numpy()).convert("L").resize(tuple(values.shape)[::-1], Image.Resampling.BOX)
    return pixel_auc(values[None], torch.from_numpy(np.array(small) >= 128)[None])[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    network = load(options.run)
    listing = list_masked_images(options.folder, "mask", None, "object")

    def pictures(start):
        for image, mask in list(zip(listing.images, listing.masks, strict=True))[start::2]:
            opened = open_fitting_mask(options.folder, image, mask, None)
            yield read_image(options.folder / image), torch.from_numpy(np.array(opened) > 0)

    aucs = {}
    for picture, mask in pictures(0):
        for way, values in maps_by_way(network, picture).items():
            aucs.setdefault(way, []).append(auc(values, mask))
    chosen = max(aucs, key=lambda way: np.nanmean(aucs[way]))
    print(f"chosen on {len(aucs[chosen])} pictures, by the area under the ROC curve:")
    for way in sorted(aucs, key=lambda way: -np.nanmean(aucs[way])):
        print(f"  {text(way):28} {100 * np.nanmean(aucs[way]):5.1f}")

    fresh = build_untrained(network)
    usual = ((1, 2), network.network.levels[-1])
    ways = {
        f"attention, {text(chosen)}": (network, chosen),  # often the same way as the next
        f"attention, {text(usual)}, lta.apply's own": (network, usual),
        f"attention, {text(((1,), usual[1]))}": (network, ((1,), usual[1])),
        f"untrained, {text(chosen)}": (fresh, chosen),
    }
    scores = {name: [] for name in (*ways, "the centre")}
    for picture, mask in pictures(1):
        for name, (classifier, way) in ways.items():
            values = maps_by_way(classifier, picture, way[:1])[way]
            scores[name].append((100 * auc(values, mask), *kept_and_blurred(values, picture, mask)))
        values = centre(picture)
        scores["the centre"].append((100 * auc(values, mask), *kept_and_blurred(values, picture, mask)))
    arrays = {name: np.array(values) for name, values in scores.items()}
    figures = {
        name: {column: intervals.mean(values[:, place]) for place, column in enumerate(COLUMNS)}
        | {"better than the centre": intervals.difference(values[:, 1:].mean(1), arrays["the centre"][:, 1:].mean(1))}
        for name, values in arrays.items()
    }
    print(f"on the other {len(arrays['the centre'])} (95 % intervals of the mean):")
    for name, row in figures.items():
        print(f"  {name}: " + "; ".join(f"{column} {said(figure)}" for column, figure in row.items()))
    if options.json:
        by_way = {text(way): 100 * float(np.nanmean(values)) for way, values in aucs.items()}
        options.json.write_text(
            json.dumps({"run": Path(options.run).name, "chosen on the others": by_way, "figures": figures}, indent=1) + "\n"
        )


def said(figure):
    low, high = figure["interval"]
    return f"{figure['value']:.1f} ({low:.1f} to {high:.1f})"


def text(way):
    return f"scales {list(way[0])}, {way[1]}"


if __name__ == "__main__":
    main()
