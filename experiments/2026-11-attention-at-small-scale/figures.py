"""seeds.png and curves.png of this folder, from results.json (float32) and results_bf16.json (bf16-mixed). figures.py"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

here = Path(__file__).parent
NETWORKS = {
    "vgg_late": "vgg_late",
    "vgg_gap": "vgg_gap",
    "vgg_att2 uniform concat": "vgg_att2, uniform",
    "vgg_att3 uniform concat": "vgg_att3, uniform",
    "vgg_att3 frozen concat": "vgg_att3, frozen",
    "vgg_att1 pc single": "vgg_att1, pc",
    "vgg_att2 pc concat": "vgg_att2, pc",
    "vgg_att3 pc concat": "vgg_att3, pc",
    "vgg_att3 additive concat": "vgg_att3, additive",
}
"""Without the baseline and dp, which lie far above; without the pruned network, of one seed."""
CONTROLS = 5
"""So many of these learn no map."""


def runs(name):
    return {found["label"]: found["runs"] for found in json.loads((here / name).read_text())["configurations"]}


def ink(row):
    return "#0072b2" if row >= CONTROLS else "#777777"


sets = {"float32": runs("results.json"), "bf16-mixed, another machine": runs("results_bf16.json")}
plt.rcParams |= {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}

figure, axes = plt.subplots(figsize=(6.4, 3.4), dpi=150, layout="constrained")
for (name, by_label), marker, face, offset in zip(sets.items(), "od", (None, "white"), (0.14, -0.2), strict=True):
    for row, label in enumerate(NETWORKS):
        if of := by_label.get(label):
            errors = np.array([run["test_error"] for run in of])
            axes.scatter(
                errors,
                np.full(len(errors), -row + offset),
                s=20,
                marker=marker,
                facecolor=face or ink(row),
                edgecolor=ink(row),
                label=name if row == len(NETWORKS) - 1 else None,
                zorder=3,
            )
            if len(errors) > 1:
                axes.plot([errors.mean()] * 2, [-row + offset - 0.17, -row + offset + 0.17], color="black", lw=1.4, zorder=4)
axes.set_yticks([-row for row in range(len(NETWORKS))], NETWORKS.values())
axes.set_xlabel("test error, % (a mark a seed, a bar the mean; blue: learned maps)")
axes.grid(axis="x", alpha=0.4)
axes.legend(frameon=False, loc="lower right")
figure.savefig(here / "seeds.png")

figure, axes = plt.subplots(figsize=(6.4, 3.4), dpi=150, layout="constrained")
for row, (label, shown) in enumerate(NETWORKS.items()):
    errors = np.mean([run["val_error"] for run in sets["float32"][label]], 0)
    line = axes.plot(range(1, 5), errors, marker=".", ls=("-", "--")[row < CONTROLS], label=shown)
axes.set(xlabel="epochs trained", ylabel="validation error, %, mean over seeds", xticks=range(1, 5), ylim=(20, None))
axes.grid(alpha=0.4)
axes.legend(frameon=False, loc="upper right")
figure.savefig(here / "curves.png")
