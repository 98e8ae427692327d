"""How well the maps of many runs find the horses of photographs that they did not see.

    python judge_seeds.py OTHERS RUNS OUT.json

OTHERS is what make_crops.py wrote to OUT/others, RUNS what train_seeds.py wrote. The photographs are squashed to 224 x
224 pixels, as evaluator=localisation sees them with data.fit=squash. The backbone is the same in all runs and is run
once. Thresholds come from the other half of the photographs, for each map by itself.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from lta.data.mask_folder import MaskFolder
from lta.inference.checkpoint import load
from lta.measures import intervals
from lta.measures.localisation import cross_fit_thresholds, halves, iou_by_threshold
from lta.measures.pixel_maps import density
from lta.measures.placement import find_placements, place_in_picture
from lta.protocols import Features


def measure_iou(maps, masks, placement):
    """Of each photograph."""
    pixels = density(maps, tuple(masks.shape[1:]), placement)
    iou = iou_by_threshold(pixels, masks)[0]
    return iou[np.arange(len(iou)), cross_fit_thresholds(iou, halves(len(iou), None, 0))]


def describe_seeds(values):
    """Mean, with the 95 % interval of a t distribution over the seeds."""
    values = np.array(values)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return {"mean": values.mean(), "interval": [values.mean() - half, values.mean() + half], "seeds": values.tolist()}


@torch.inference_mode()
def main(others, runs, out):
    data = MaskFolder(str(others), image_size=224, fit="squash", cache="off")
    data.setup()
    images = torch.from_numpy(np.asarray(data.test.images)).permute(0, 3, 1, 2)
    masks = torch.from_numpy(np.asarray(data.test.roles) == 2)
    raw, found = None, {}
    done = sorted(path.parent for path in runs.glob("*_seed*/results.json"))
    for run in [run for run in done if sum(other.name.endswith(run.name.partition("_")[2]) for other in done) == 2]:
        classifier = load(run)
        network, kind = classifier.network, run.name.partition("_")[0]
        if raw is None:
            parts = [network.trunk.compute_levels(classifier.preprocess(one[None]).float()) for one in images]
            raw = {level: torch.cat([part[level] for part in parts]) for level in parts[0]}
        network.trunk.give_features(Features(network.trunk.standardise(raw), raw["D"].mean((2, 3))))
        attn = network(images.float()).attn
        places = find_placements(network, (224, 224))
        of_run = {f"IoU of level {level}": measure_iou(attn[level], masks, places[level]) for level in network.levels}
        error = json.loads((run / "results.json").read_text())["test"]["error"]
        found.setdefault(kind, []).append({"seed": int(run.name.rpartition("seed")[2]), "test error": error} | of_run)
        print(run.name, error, {name: round(float(iou.mean()), 3) for name, iou in of_run.items()}, flush=True)
    place = place_in_picture(network.trunk.cells_in((224, 224))["C"], (224, 224))
    length = measure_iou(raw["C"].norm(dim=1), masks, place)
    result = {"photographs": len(masks), "length of the features, level C": intervals.mean(length)}
    for kind, rows in found.items():
        rows.sort(key=lambda row: row["seed"])
        result[kind] = {
            name: describe_seeds([float(np.mean(row[name])) for row in rows]) for name in rows[0] if name != "seed"
        }
    first, second = found
    result[f"{second} minus {first}"] = {
        name: describe_seeds(
            [float(np.mean(b[name]) - np.mean(a[name])) for a, b in zip(found[first], found[second], strict=True)]
        )
        for name in found[first][0]
        if name != "seed"
    }
    out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
