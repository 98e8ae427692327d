"""How well a map that a few masks taught finds objects in pictures that taught nothing.

    python measure.py OUT.json NAME=FOLDER [NAME=FOLDER ...] [--masks 2 10] [--draws 5] [--size 320]

Each FOLDER holds images/, masks/ and, if there is one, LABELS.csv, whose column `class` groups the pictures. For each draw
(seeds 0, 1, ...) so many masks teach as lta.teach does, choosing the ridge by masks that are left out. All other pictures
are judged. Thresholds come from the other half of the judged pictures, for each map by itself.
"""

import argparse
import json
from pathlib import Path

import hydra
import numpy as np
import torch

from lta.cli.plugins import CONF
from lta.data.masked_pictures import list_masked_images
from lta.instantiate import plain
from lta.measures import intervals
from lta.measures.localisation import cross_fit_thresholds, energy, halves, iou_by_threshold, pixel_auc, pointing
from lta.measures.pixel_maps import density, enlarge_map
from lta.models.measured import fit_measured
from lta.teach import files
from lta.teach.fit import fit_to_masks
from lta.teach.lessons import read_lessons
from lta.teach.pairs import Pair
from lta.teach.teacher import describe_lessons, preprocess_each

MAPS = ("taught", "length", "centre")


def draw_centre(size):
    """Falls from the middle to the edges."""
    rows, columns = (torch.linspace(-1, 1, side) for side in size)
    return torch.exp(-(rows[:, None] ** 2) - columns**2)


def measure_maps(maps, judged):
    """By name of a map: IoU by threshold, AUC, pointing and energy of each picture."""
    found = {name: {"iou": [], "auc": [], "pointing": [], "energy": []} for name in maps}
    for name, values in maps.items():
        for value, one in zip(values, judged, strict=True):
            mask = one.lesson.mask[None]
            placement = None if name == "centre" else one.placement
            pixels = enlarge_map(value[None], tuple(mask.shape[1:]), placement)
            found[name]["iou"].append(iou_by_threshold(pixels, mask)[0][0])
            found[name]["auc"].append(pixel_auc(pixels, mask)[0])
            spread = density(value[None] - min(0, value.min()), tuple(mask.shape[1:]), placement)
            found[name]["pointing"].append(pointing(spread, mask).item())
            found[name]["energy"].append(energy(spread, mask).item())
    return {name: {key: np.array(values) for key, values in one.items()} for name, one in found.items()}


def measure_folder(folder, options):
    """Rows: one for each number of masks, with the mean over draws of what each picture has."""
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = plain(hydra.compose("teach", overrides=[f"masks={folder}", f"size={options.size}"]))
    listing = list_masked_images(folder, "mask", "class" if (folder / "LABELS.csv").exists() else None, "object")
    pairs = [Pair(folder, image, folder / mask) for image, mask in zip(listing.images, listing.masks, strict=True)]
    classifier = files.build_classifier(cfg)
    lessons = list(read_lessons(pairs, options.size, files.find_step(classifier), None))
    # Spreads of the features are measured on all pictures once, not on each draw's: no labels and no masks are in them.
    fit_measured(classifier.network, lambda most: preprocess_each(classifier, [one.image for one in lessons][:most]))
    described = list(describe_lessons(classifier, classifier.network, lessons, mirror=True))
    upright = described[::2]
    groups = np.array(listing.classes)
    rows = []
    for count in options.masks:
        found = {
            name: {key: np.full((options.draws, len(pairs)), np.nan) for key in ("iou", "auc", "pointing", "energy")}
            for name in MAPS
        }
        ridges = []
        for draw in range(options.draws):
            order = np.random.default_rng(draw).permutation(len(pairs))
            taught, judged = set(order[:count].tolist()), np.sort(order[count:])
            fit = fit_to_masks([one for one in described if one.of in taught], cfg["ridge"])
            ridges.append(fit.ridge)
            shown = [upright[number] for number in judged]
            maps = {
                "taught": [fit.scorer.score(one.features).sigmoid() for one in shown],
                "length": [one.features[0] for one in shown],
                "centre": [draw_centre(one.shares.shape) for one in shown],
            }
            half = halves(len(judged), None, draw)
            for name, scores in measure_maps(maps, shown).items():
                columns = cross_fit_thresholds(scores["iou"], half)
                scores["iou"] = scores["iou"][np.arange(len(judged)), columns]
                for key, values in scores.items():
                    found[name][key][draw, judged] = values
        rows.append(
            {"masks": count, "draws": options.draws, "pictures": len(pairs), "ridges": ridges}
            | summarise(found, np.full(len(pairs), True))
            | {
                "groups": {
                    group: summarise(found, groups == group)
                    for group in sorted(set(groups))
                    if 10 <= (groups == group).sum() < len(groups)
                }
            }
        )
        print(folder.name, count, {name: round(rows[-1][name]["iou"], 3) for name in MAPS}, flush=True)
    return rows


def summarise(found, kept):
    """Means over pictures of each picture's mean over the draws that judged it; IoU differences with 95 % intervals."""
    means = {name: {key: np.nanmean(values[:, kept], 0) for key, values in one.items()} for name, one in found.items()}
    row = {name: {key: float(np.nanmean(values)) for key, values in one.items()} for name, one in means.items()}
    for other in MAPS[1:]:
        row[f"taught over {other}"] = intervals.difference(means["taught"]["iou"], means[other]["iou"])
    row["by draw"] = np.nanmean(found["taught"]["iou"][:, kept], 1).tolist()
    return row | {"n": int(kept.sum())}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("folders", nargs="+", metavar="NAME=FOLDER")
    parser.add_argument("--masks", type=int, nargs="+", default=[2, 10])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--size", type=int, default=320)
    options = parser.parse_args()
    found = json.loads(options.out.read_text()) if options.out.exists() else {}
    for named in options.folders:
        name, _, folder = named.partition("=")
        found[f"{name}, {options.size} px"] = measure_folder(Path(folder), options)
        options.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
