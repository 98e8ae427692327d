"""What evaluators found in the networks of train.sh, by seed, and the page's tables of it.

answers.py RUNS OUT: what the runs have is added to OUT/answers.json; what that has already of other runs stays.
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy.stats import t

runs, out = Path(sys.argv[1]) / "networks", Path(sys.argv[2])
NETWORKS = {
    "baseline": "`vgg`",
    "late": "`vgg_late`",
    "gap": "`vgg_gap`, class activation map",
    "att1_pc": "`vgg_att1`, `pc`",
    "att2_pc": "`vgg_att2`, `pc`",
    "att2_dp": "`vgg_att2`, `dp`",
    "att2_uniform": "`vgg_att2`, `uniform`",
    "att3_pc": "`vgg_att3`, `pc`",
    "att3_pruned": "`vgg_att3`, `pc`, pruned",
    "att3_additive": "`vgg_att3`, `additive`",
    "att3_dp": "`vgg_att3`, `dp`",
    "att3_uniform": "`vgg_att3`, `uniform`",
    "att3_frozen": "`vgg_att3`, `frozen`",
}
MAPS = ("A", "B", "C", "product")
CONTROLS = ("uniform", "centre_prior", "shuffled")


def joint(maps):
    """The map of all levels together."""
    return "product" if "product" in maps else "C"


def localisation(figures):
    found = {}
    for name in MAPS:
        if name in figures["maps"]:
            one = figures["maps"][name]
            found[name] = {"thresholds": one["thresholds"]} | {
                key: {
                    "value": one[key]["value"],
                    **{control: one[key]["controls"][control]["value"] for control in CONTROLS},
                }
                for key in ("iou", "auc", "pointing")
            }
    return found


def faithfulness(figures):
    return {
        name: {kind: order[kind]["value"] for kind in ("deletion", "insertion")} for name, order in figures["orders"].items()
    }


def query(figures):
    return {
        level: {by: one["tv"]["value"] for by, one in of["replaced_by"].items()} for level, of in figures["levels"].items()
    }


def robustness(figures):
    return {attack: {eps: one["error"]["value"] for eps, one in of.items()} for attack, of in figures["attacks"].items()}


READ = {"localisation": localisation, "faithfulness": faithfulness, "query": query, "robustness": robustness}


def read(name, found):
    """By evaluator and seed what is shown of its answers."""
    stem = "small_vgg" if name == "baseline" else f"small_vgg_{name}"
    for run in sorted(runs.glob(f"experiment-{stem}+seed-*")):
        for evaluator, of in READ.items():
            path = run / "evaluations" / f"{evaluator}.json"
            figures = json.loads(path.read_text())["figures"] if path.is_file() else {}
            if figures and (evaluator != "query" or all("replaced_by" in one for one in figures["levels"].values())):
                found.setdefault(evaluator, {})[run.name.partition("seed-")[2]] = of(figures)
    return found


def spread(values, digits=3):
    if len(values) < 2:
        return "".join(f"{value:.{digits}f}" for value in values)
    return f"{np.mean(values):.{digits}f} ± {np.std(values, ddof=1):.{digits}f}"


def interval(values):
    """Student's, 95 %, over the seeds."""
    if len(values) < 2:
        return "".join(f"{value:+.3f}" for value in values)
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return f"{np.mean(values):+.3f} ({np.mean(values) - half:+.3f} to {np.mean(values) + half:+.3f})"


known = json.loads((out / "answers.json").read_text()) if (out / "answers.json").is_file() else {}
answers = {name: read(name, known.get(name, {})) for name in NETWORKS}
(out / "answers.json").write_text(json.dumps(answers, indent=1) + "\n")

print("localisation")
for name, shown in NETWORKS.items():
    of = list(answers[name].get("localisation", {}).values())
    if of:
        whole = joint(of[0])
        cells = [spread([one[key]["iou"]["value"] for one in of]) if key in of[0] else "" for key in MAPS]
        cells += [
            interval([one[whole]["iou"]["value"] - one[whole]["iou"][control] for one in of]) for control in CONTROLS[1:]
        ]
        cells += [spread([one[key]["auc"]["value"] for one in of], 2) if key in of[0] else "" for key in ("A", "C", whole)]
        print(f"| {shown} | {len(of)} | " + " | ".join(cells) + " |")
print("faithfulness")
for name, shown in NETWORKS.items():
    of = list(answers[name].get("faithfulness", {}).values())
    if of and joint(of[0]) in of[0]:
        whole = joint(of[0])
        cells = []
        for kind in ("deletion", "insertion"):
            cells.append(spread([one[whole][kind] for one in of]))
            cells += [interval([one[whole][kind] - one[control][kind] for one in of]) for control in ("shuffled", "central")]
        print(f"| {shown} | {len(of)} | " + " | ".join(cells) + " |")
print("query")
for name, shown in NETWORKS.items():
    for seed, of in answers[name].get("query", {}).items():
        moved = ", ".join(f"{level} {100 * by['another']:.1f}" for level, by in of.items())
        print(f"{shown}, seed {seed}: % of the attention moved by another picture's query: {moved}")
print("robustness")
for name, shown in NETWORKS.items():
    for of in answers[name].get("robustness", {}).values():
        cells = [of["fgsm"][eps] for eps in ("0", "1", "2", "4")] + [of["pgd"][eps] for eps in ("0", "1", "2", "4", "8")]
        print(f"| {shown} | " + " | ".join(f"{v:.1f}" for v in [*cells, of["noise"]["8"]]) + " |")
