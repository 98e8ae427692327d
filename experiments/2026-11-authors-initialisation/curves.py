"""The ladder's learning curves and table: curves.py RUNS OUT, RUNS being what ladder.sh wrote."""

import csv
import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

ORDER = (
    "author",
    "zero_scorer",
    "unit_gamma",
    "true_gradient",
    "undamped",
    "no_decay_of_vectors",
    "standardize",
    "flip_crop",
    "cosine",
    "lower_rate",
    "dropout",
    "bn_eps_1e-5",
    "zero_scorer_unit_gamma",
    "fast",
)

runs, out = Path(sys.argv[1]), Path(sys.argv[2])
table = {}
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
colours = plt.get_cmap("tab20").colors
for number, name in enumerate(name for name in ORDER if (runs / name / "results.json").is_file()):
    with (runs / name / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    test = json.loads((runs / name / "results.json").read_text())["test"]["error"]
    columns = {key: [float(row[key]) for row in rows] for key in ("train/loss", "train/error", "val/error")}
    columns |= {level: [float(row[f"attention/{level}/effective_positions"]) for row in rows] for level in "ABC"}
    table[name] = {"test/error": test, **columns}
    end = {"author": "black", "fast": "red"}.get(name)
    style = {"label": name, "color": end or colours[number], "linewidth": 2.5 if end else 1.2}
    axes[0].plot(range(1, len(rows) + 1), columns["train/error"], **style)
    axes[1].plot(range(1, len(rows) + 1), columns["B"], **style)
    levels = "  ".join(f"{level} {columns[level][-1]:7.1f}" for level in "ABC")
    print(
        f"{name:24} train {columns['train/error'][-1]:5.1f}  val {columns['val/error'][-1]:5.1f}  test {test:5.1f}  {levels}"
    )
axes[0].set(xlabel="epoch of 60 steps", ylabel="train error, %", title="training error")
axes[1].set(xlabel="epoch of 60 steps", ylabel="effective positions of 256", title="attention at level B", yscale="log")
for axis in axes:
    axis.set_xticks(range(1, len(rows) + 1))
axes[1].legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
figure.tight_layout()
figure.savefig(out / "curves.png", dpi=110)
(out / "results.json").write_text(json.dumps(table, indent=1) + "\n")
