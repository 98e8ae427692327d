"""What the panels of the W&B dashboard show, drawn from offline runs: python docs/dashboard_sheet.py SWEEP docs

Writes dashboard_curves.png and dashboard_pictures.png. Sections, panels and keys are those of `lta.dashboard.panels`, the
values those of the runs' own W&B files. wandb.ai lays them out in its own way: these are no screenshots of it.
"""

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image

from lta.dashboard.panels import SECTIONS, Bars, Coordinates, Curves, Images
from lta.loggers.wandb_parts import parts, rows

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito's
DRAWN = ("Error", "Sweep", "Attention at level C")
ACROSS, WIDE, NOTE = 3, 330, "Drawn from the W&B files of offline runs; not a screenshot of wandb.ai."


def read(directory):
    """A run's setting, its whole summary and configuration, its rows and the folder of its pictures."""
    (part,) = parts(directory)
    viewer = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", part]
    whole = json.loads(subprocess.run(viewer, capture_output=True, text=True, check=True).stdout)
    return {**whole, "rows": list(rows(part)), "files": part / "files", "setting": whole["config"]["run"]["setting"]}


def curves(axis, panel, groups, colours):
    for setting, runs in groups.items():
        for key, line in zip(panel.y, ("-", "--", ":"), strict=False):
            seeds = [[(r[panel.x], r[key]) for r in run["rows"] if key in r and panel.x in r] for run in runs]
            if not all(seeds):
                continue
            x, y = np.array(seeds).mean(0)[:, 0], np.array(seeds)[:, :, 1]
            spread = y.std(0, ddof=1) if len(y) > 1 else 0
            label = setting if len(panel.y) == 1 else f"{setting}, {key}"
            axis.plot(x, y.mean(0), line, color=colours[setting], label=label, marker=".")
            axis.fill_between(x, y.mean(0) - spread, y.mean(0) + spread, color=colours[setting], alpha=0.2, linewidth=0)
    axis.set_xlabel(panel.x_title, fontsize=7)
    if panel.x == "epoch":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def bars(axis, panel, groups, colours):
    for row, (setting, runs) in enumerate(groups.items()):
        found = [run["summary"][panel.figures[0]] for run in runs]
        spread = np.std(found, ddof=1) if len(found) > 1 else 0
        axis.barh(row, np.mean(found), xerr=spread, color=colours[setting], capsize=3)
    axis.set_yticks(range(len(groups)), list(groups))
    axis.invert_yaxis()


def coordinates(axis, panel, groups, colours):
    def looked_up(run, key):
        node = run["config"]
        for part in key.split("."):
            node = node[part]
        return node

    runs = [run for group in groups.values() for run in group]
    columns = [[looked_up(run, key) for run in runs] for key in panel.settings]
    columns += [[run["summary"][key] for run in runs] for key in panel.figures]
    heights = []
    for number, values in enumerate(columns):
        texts = sorted(set(values))
        places = {
            value: (0.5 if len(texts) == 1 else (value - texts[0]) / (texts[-1] - texts[0]))
            if not isinstance(value, str)
            else (i + 0.5) / len(texts)
            for i, value in enumerate(texts)
        }
        heights.append([places[value] for value in values])
        for value in {texts[0], texts[-1]}:
            shown = value if isinstance(value, str) else f"{value:.3g}"
            axis.text(number, places[value] + 0.04, shown, ha="center", fontsize=7)
    for run, line in zip(runs, np.array(heights).T, strict=True):
        axis.plot(line, color=colours[run["setting"]], alpha=0.8)
    names = [key.rpartition(".")[2] for key in (*panel.settings, *panel.figures)]
    axis.set_xticks(range(len(names)), names, rotation=25, ha="right", fontsize=7)
    axis.set_yticks([])


def has(panel, runs):
    if isinstance(panel, Curves):
        return any(key in row for run in runs for row in run["rows"] for key in panel.y)
    return isinstance(panel, (Bars, Coordinates))


def curve_sheet(groups, path):
    runs = [run for group in groups.values() for run in group]
    colours = dict(zip(groups, COLOURS, strict=False))
    rows_of = []
    for section in (section for section in SECTIONS if section.name in DRAWN):
        panels = [panel for panel in section.panels if has(panel, runs)]
        rows_of += [(section.name if not i else "", panels[i : i + ACROSS]) for i in range(0, len(panels), ACROSS)]
    figure = plt.figure(figsize=(13, 2.3 * len(rows_of)), layout="constrained")
    for (name, panels), strip in zip(rows_of, figure.subfigures(len(rows_of), 1, squeeze=False)[:, 0], strict=True):
        strip.suptitle(name or " ", x=0.01, ha="left", fontsize=12, fontweight="bold")
        for axis, panel in zip(
            strip.subplots(1, 1 if isinstance(panels[0], Coordinates) else ACROSS, squeeze=False)[0], panels, strict=False
        ):
            {Curves: curves, Bars: bars, Coordinates: coordinates}[type(panel)](axis, panel, groups, colours)
            axis.set_title(panel.title, fontsize=8)
            axis.tick_params(labelsize=7)
            if isinstance(panel, Curves):
                axis.legend(fontsize=6)
        for axis in strip.axes[len(panels) :]:
            axis.axis("off")
    n = "; ".join(f"{setting}: {len(group)} seeds" for setting, group in groups.items())
    figure.supxlabel(f"{NOTE} Mean and standard deviation over the seeds ({n}).", fontsize=8)
    save(figure, path, dpi=80)


def picture_sheet(run, path):
    (panel,) = [panel for section in SECTIONS for panel in section.panels if isinstance(panel, Images) and panel.by_step]
    drawn = [row for row in run["rows"] if f"{panel.keys[0]}.filenames" in row]
    shown = min(3, *(len(row[f"{panel.keys[0]}.filenames"]) for row in drawn))
    figure, axes = plt.subplots(
        shown, len(drawn), figsize=(3.3 * len(drawn), 1.5 * shown), layout="constrained", squeeze=False
    )
    for column, row in zip(axes.T, drawn, strict=True):
        column[0].set_title(f"epoch {row['epoch']}", fontsize=9)
        told = zip(row[f"{panel.keys[0]}.filenames"], row[f"{panel.keys[0]}.captions"], strict=True)
        for axis, (name, said) in zip(column, told, strict=False):
            picture = Image.open(run["files"] / name)
            axis.imshow(picture.resize((WIDE, picture.height * WIDE // picture.width)))
            axis.set_xlabel(said, fontsize=7)
            axis.set(xticks=[], yticks=[])
    figure.supxlabel(f"{panel.title} ({run['setting']}, {run['name']}). {NOTE}", fontsize=8)
    save(figure, path, dpi=90)


def save(figure, path, dpi):
    figure.savefig(path, dpi=dpi)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    sweep, out = Path(sys.argv[1]), Path(sys.argv[2])
    groups = defaultdict(list)
    for directory in sorted(path.parent for path in sweep.glob("*/results.json")):
        run = read(directory)
        groups[run["setting"]].append(run)
    curve_sheet(groups, out / "dashboard_curves.png")
    first = max((run for group in groups.values() for run in group), key=lambda run: -run["summary"]["val/error"])
    picture_sheet(first, out / "dashboard_pictures.png")
