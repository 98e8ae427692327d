"""Error, training error and effective positions of the ladder's runs, by rung and seed, and the page's table.

ladder.py OUT [RUNS ...]: what the folders of runs have is added to OUT/ladder.json, in place of the same rung and seed.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import t

out, folders = Path(sys.argv[1]) / "ladder.json", sys.argv[2:]
RUNGS = {
    "00_author": "`recipe=author`",
    "01_undamped": "no dampening, at a tenth of the rate",
    "02_nesterov": "Nesterov's momentum",
    "03_true_gradient": "the gradient of the loss, not averaged at junctions",
    "04_vectors_not_decayed": "no weight decay on norms, biases, scorers",
    "05_zero_scorer": "**uniform maps at the start**",
    "06_unit_gains": "batch norms start with gains of 1",
    "07_standardize": "mean and standard deviation instead of `yuv_lcn`",
    "08_flip_crop": "pictures mirrored one by one, and shifted",
    "09_validation_set": "5,000 images kept for validation",
    "10_cosine": "**warm-up, then a cosine to zero**: `recipe=fast`",
}


def last_of(path):
    """What the last rows of metrics.csv have, by name; an epoch is written in several rows."""
    found = {}
    with path.open() as file:
        for row in csv.DictReader(file):
            found |= {name: float(value) for name, value in row.items() if value}
    return found


def shown(run):
    result, last = json.loads((run / "results.json").read_text()), last_of(run / "metrics.csv")
    start = json.loads((run / "run.json").read_text())["starts"][-1]
    return {
        "test_error": result["test"]["error"],
        "train_error": last["train/error"],
        "effective_positions": [last[f"attention/{level}/effective_positions"] for level in "ABC"],
        "precision": result["precision"],
        "commit": start["git"]["commit"],
        "command": " ".join(["python", "-m", "lta.run", *start["overrides"]]),
    }


def spread(values):
    return f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def change(one, before):
    """Seed by seed, Student's 95 %."""
    values = np.array([one[seed]["test_error"] - before[seed]["test_error"] for seed in one if seed in before])
    if len(values) < 2:
        return "".join(f"{value:+.1f}" for value in values)
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():+.1f} ({values.mean() - half:+.1f} to {values.mean() + half:+.1f})"


known = json.loads(out.read_text()) if out.is_file() else {}
for path in (path for folder in folders for path in sorted(Path(folder).glob("*/results.json"))):
    seen = shown(path.parent)
    rung = next(name for name in RUNGS if f"experiment=ladder_{name} " in seen["command"])
    seed = next(word.removeprefix("seed=") for word in seen["command"].split() if word.startswith("seed="))
    known.setdefault(rung, {})[seed] = seen
known = {rung: dict(sorted(known[rung].items())) for rung in RUNGS if rung in known}
out.write_text(json.dumps(known, indent=1) + "\n")

before = {}
for rung, of in known.items():
    seeds = ", ".join(f"{one['test_error']:.1f}" for one in of.values())
    errors, training = ([one[key] for one in of.values()] for key in ("test_error", "train_error"))
    positions = np.mean([one["effective_positions"] for one in of.values()], 0)
    cells = [spread(errors), seeds, change(of, before), spread(training), ", ".join(f"{n:.0f}" for n in positions)]
    print(f"| {RUNGS[rung]} | " + " | ".join(cells) + " |")
    before = of
