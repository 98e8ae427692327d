"""Do the boxes of ten pictures a class teach a map whose box fits? And do the boxes of other classes?

    python measure_boxes.py imagenette_boxes OUT.json FEATURES.pt [--each 10] [--first 0] [--draws 3] [--size 320]
        [--kinds all own others]

The folder holds images/ and BOXES.csv, as data=box_folder reads them. For each draw (seeds 0, 1, ...) so many random
pictures of each class teach, their boxes filled as masks; all others are judged by MaxBoxAcc, as evaluator=localisation
does it. Thresholds come from the other half of the judged pictures, for each map and each IoU by itself. Features and
cues are those of lta.teach, without mirror images, and are kept in FEATURES.pt.

- "all": one map, taught by the pictures of all classes;
- "own": a map for each class, taught by its own pictures alone;
- "others": a map for each class, taught by the pictures of all other classes;
- "length", "own_class", "centre": nothing taught.

The ridge is that of lta.teach's whose maps fit the teaching pictures best by mean IoU, when each half of the classes is
left out once. "others" takes the same. "own" takes the largest but one, as lta.teach does where nothing can be left
out.
"""

import argparse
import json
from pathlib import Path

import hydra
import numpy as np
import torch
from PIL import Image

from lta.cli.plugins import CONF
from lta.data.boxed_pictures import list_boxed_images
from lta.data.decoding import open_rgb
from lta.instantiate import plain
from lta.layers.standardise import Statistics
from lta.measures import intervals
from lta.measures.boxes import draw_boxes, fill_boxes, fit_boxes
from lta.measures.localisation import cross_fit_thresholds, halves, iou_by_threshold
from lta.measures.pixel_maps import density, enlarge_map
from lta.measures.placement import place_in_picture
from lta.measures.roles import centre_prior
from lta.models.cues import compute_cues
from lta.teach import files
from lta.teach.fit import Described, fit_scorer
from lta.teach.lessons import Lesson, average_in_cells
from lta.teach.teacher import preprocess_each

LEVELS = (0.3, 0.5, 0.7)
TAUGHT = ("all", "own", "others")


def read_pictures(folder, size):
    """Pictures as uint8 (3, size, size), squashed, boxes in their pixels (NaN where there are fewer), classes."""
    listing = list_boxed_images(folder, "class", "object")
    images, boxes = [], np.full((len(listing.images), max(map(len, listing.boxes)), 4), np.nan)
    for number, (name, of) in enumerate(zip(listing.images, listing.boxes, strict=True)):
        picture = open_rgb(folder / name)
        boxes[number, : len(of)] = of * (size / np.array([picture.width, picture.height] * 2))
        scaled = picture if picture.size == (size, size) else picture.resize((size, size), Image.Resampling.BICUBIC)
        images.append(torch.from_numpy(np.array(scaled)).permute(2, 0, 1))
    return torch.stack(images), boxes.clip(0, size), np.array(listing.classes)


@torch.inference_mode()
def compute_levels(classifier, images):
    """What the backbone makes of each picture at the levels that are read."""
    levels = [classifier.network.trunk.compute_levels(seen) for seen in preprocess_each(classifier, images)]
    return {name: torch.cat([one[name].half() for one in levels]) for name in "BCD"}


@torch.inference_mode()
def describe(network, levels, size):
    """Of each picture what is scored (cues first), and the class activation map of its likeliest class. Means and spreads of
    the features are those of every fifth picture: no label and no box is in them."""
    trunk, described, own_class = network.trunk, [], []
    for name in ("B", "C"):
        statistics = Statistics()
        statistics.add(levels[name][::5].float())
        trunk.norms[name].set_statistics(*(one.float() for one in statistics.compute()))
    cells = trunk.cells_in((size, size))
    for rows in torch.arange(len(levels["B"])).split(50):
        raw = {name: of[rows].float() for name, of in levels.items()}
        standard = trunk.standardise(raw)
        described.append(torch.cat([compute_cues(network.cues, raw, standard, cells, trunk.class_layer), standard["B"]], 1))
        predicted = trunk.class_layer(raw["D"].mean((2, 3))).argmax(1)
        own_class.append(torch.einsum("bchw,bc->bhw", raw["D"], trunk.class_layer.weight[predicted]).clamp(min=0))
    places = {name: place_in_picture(cells[name], (size, size)) for name in "BD"}
    return {"described": torch.cat(described), "own_class": torch.cat(own_class), "places": places}


def judge(maps, placement, boxes, size):
    """Of each picture and threshold whether the map's box fits one of `boxes`, by the IoU asked for."""
    pixels = density(maps - maps.amin((1, 2), keepdim=True).clamp(max=0), (size, size), placement)
    fits = fit_boxes(draw_boxes(pixels), boxes)
    return {level: (fits >= level).astype(float) for level in LEVELS}


def choose_ridge(lessons, classes, ridges):
    """By the mean IoU of classes that are left out, at one threshold each, and these IoUs."""
    names = np.unique(classes)
    left_out = [np.isin(classes, names[::2]), np.isin(classes, names[1::2])]
    found = {}
    for ridge in ridges:
        ious = []
        for out in left_out:
            scorer = fit_scorer([one for one, is_out in zip(lessons, out, strict=True) if not is_out], ridge)
            for one in (one for one, is_out in zip(lessons, out, strict=True) if is_out):
                pixels = enlarge_map(scorer.score(one.features).sigmoid()[None], tuple(one.lesson.mask.shape), one.placement)
                ious.append(iou_by_threshold(pixels, one.lesson.mask[None])[0][0])
        found[ridge] = float(np.mean(ious, 0).max())
    return max(found, key=found.__getitem__), found


def measure_draw(seed, features, boxes, classes, size, each, ridges, kinds):
    """By map and IoU, of each picture whether it was found: NaN for pictures that taught."""
    rng, place = np.random.default_rng(seed), features["places"]["B"]
    taught = np.zeros(len(classes), bool)
    for name in np.unique(classes):
        taught[rng.permutation(np.flatnonzero(classes == name))[:each]] = True
    masks = torch.from_numpy(fill_boxes(boxes, (size, size)))
    described = features["described"]
    lessons = {
        number: Described(
            Lesson(torch.zeros(3, size, size, dtype=torch.uint8), masks[number]),
            described[number],
            average_in_cells(masks[number], place, tuple(described.shape[2:])),
            place,
            int(number),
        )
        for number in np.flatnonzero(taught)
    }
    ridge, tried = None, None
    if set(kinds) - {"own"}:
        ridge, tried = choose_ridge(list(lessons.values()), classes[taught], ridges)

    def teach(chosen, strength):
        scorer = fit_scorer([lessons[number] for number in np.flatnonzero(chosen)], strength)
        return lambda index: torch.stack([scorer.score(one) for one in described[index]]).sigmoid()

    judged = np.flatnonzero(~taught)
    half = halves(len(judged), None, seed)
    maps = {}
    for kind in kinds:
        maps[kind] = torch.zeros(len(judged), *described.shape[2:])
        for name in [None] if kind == "all" else np.unique(classes):
            chosen = {"all": True, "own": classes == name, "others": classes != name}[kind]
            rows = np.flatnonzero((classes[judged] == name) | (kind == "all"))
            maps[kind][rows] = teach(taught & chosen, sorted(ridges)[-2] if kind == "own" else ridge)(judged[rows])
    prior = [centre_prior(masks[judged][half != side].sum(0, keepdim=True).float()) for side in (False, True)]
    given = {kind: (of, place) for kind, of in maps.items()} | {
        "length": (described[judged, 0], place),
        "own_class": (features["own_class"][judged], features["places"]["D"]),
        "centre": (torch.stack([prior[int(side)] for side in half]), None),
    }
    found = {}
    for kind, (of, where) in given.items():
        for level, hits in judge(of, where, boxes[judged], size).items():
            column = cross_fit_thresholds(hits, half)
            row = found.setdefault(kind, {}).setdefault(level, np.full(len(classes), np.nan))
            row[judged] = hits[np.arange(len(judged)), column]
    return found, {"ridge": ridge, "mean IoU of classes left out, by ridge": tried}


def average(rows):
    """Over the rows that have a number; NaN where none has."""
    there = ~np.isnan(rows)
    return np.where(there.any(0), np.where(there, rows, 0).sum(0) / there.sum(0).clip(1), np.nan)


def summarise(draws, chosen, classes, settings):
    """Means over pictures of each picture's mean over the draws that judged it, and paired differences, 95 % intervals."""
    means = {kind: {level: average([draw[kind][level] for draw in draws]) for level in LEVELS} for kind in draws[0]}
    found = settings | {"draws": len(draws), "chosen": chosen, "n": int((~np.isnan(means["length"][0.5])).sum())}
    for level in LEVELS:
        kept = ~np.isnan(means["length"][level])
        found[f"IoU {level}"] = {
            kind: intervals.mean(of[level][kept])
            | {"by draw": [float(np.nanmean(draw[kind][level])) for draw in draws]}
            | {
                f"over {other}": intervals.difference(of[level][kept], means[other][level][kept])
                for other in ("length", "own_class", "centre")
                if kind in TAUGHT
            }
            for kind, of in means.items()
        }
    found["by class, IoU 0.5"] = {
        str(name): {kind: float(np.nanmean(of[0.5][classes == name])) for kind, of in means.items()}
        for name in np.unique(classes)
    }
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("--each", type=int, default=10)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", choices=TAUGHT, default=TAUGHT)
    parser.add_argument("--size", type=int, default=320)
    options = parser.parse_args()
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = plain(hydra.compose("teach", overrides=[f"masks={options.folder}", f"size={options.size}"]))
    images, boxes, classes = read_pictures(options.folder, options.size)
    classifier = files.build_classifier(cfg)
    if not options.features.exists():
        torch.save(compute_levels(classifier, images), options.features)
    features = describe(classifier.network, torch.load(options.features), options.size)
    draws, chosen = [], []
    for seed in range(options.first, options.first + options.draws):
        found, how = measure_draw(seed, features, boxes, classes, options.size, options.each, cfg["ridge"], options.kinds)
        draws.append(found)
        chosen.append(how)
        settings = {"size": options.size, "each": options.each, "first": options.first}
        options.out.write_text(json.dumps(summarise(draws, chosen, classes, settings), indent=1) + "\n")
        print(seed, {kind: round(float(np.nanmean(of[0.5])), 3) for kind, of in found.items()}, flush=True)


if __name__ == "__main__":
    main()
