"""Every two networks of a report, seed by seed and without pairing: differences in error, Student's and Welch's 95 %.

compare.py REPORT.json [PART OF A NAME ...]: only pairs of networks whose names hold one of these.
"""

import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy.stats import t, ttest_ind, ttest_rel

report = json.loads(Path(sys.argv[1]).read_text())
wanted = sys.argv[2:]
ERRORS = {"test": lambda run: run["test_error"], "validation": lambda run: run["val_error"][-1]}


def shown(mean, half):
    return f"{mean:+.2f} ({mean - half:+.2f} to {mean + half:+.2f})"


def unpaired(one, other):
    variances = [values.var(ddof=1) / len(values) for values in (one, other)]
    freedom = sum(variances) ** 2 / sum(v**2 / (len(x) - 1) for v, x in zip(variances, (one, other), strict=True))
    return shown(one.mean() - other.mean(), t.ppf(0.975, freedom) * sum(variances) ** 0.5)


networks = {}
for found in report["configurations"]:
    by_seed = {run["seed"]: run for run in found["runs"]}
    networks[f"{found['label']}, {found['runs'][0]['precision']}"] = by_seed

for kind, error in ERRORS.items():
    print(f"{kind} error")
    together = []
    for (name, one), (other_name, other) in combinations(networks.items(), 2):
        seeds = sorted(set(one) & set(other))
        if len(seeds) < 2:
            continue
        a, b = (np.array([error(of[seed]) for seed in seeds]) for of in (one, other))
        if len(seeds) >= 4:
            together.append(np.corrcoef(a, b)[0, 1])
        if wanted and not all(any(part in one_name for part in wanted) for one_name in (name, other_name)):
            continue
        half = t.ppf(0.975, len(a) - 1) * (a - b).std(ddof=1) / len(a) ** 0.5
        print(
            f"{name} minus {other_name}, {len(a)} seeds: {shown((a - b).mean(), half)}, p {ttest_rel(a, b).pvalue:.3f}; "
            f"unpaired {unpaired(a, b)}, p {ttest_ind(a, b, equal_var=False).pvalue:.3f}"
        )
    if together:
        print(f"correlation of two networks over seeds: {np.mean(together):+.2f} on average, {len(together)} pairs")
