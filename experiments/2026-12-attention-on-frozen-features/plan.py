"""What the study consists of: every run's name and its settings, in their order. Decided before any result."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

METHODS = ("gap", "uniform", "frozen", "pc", "additive", "scaled_dp", "dp")
"""`gap`: a linear layer on the average of one level. The others: lta's attention with this score, and its head."""

INERT = ("uniform", "frozen", "pc")
"""Scores whose map provably ignores the query: its projection, which acts on nothing, is left out."""

LEVELS = ("A", "B", "C", "D", "BD", "ABD", "ABCD")
FIRST = ("B", "D", "ABD")
"""Levels that are run before the others."""

RATES: Mapping[str, Sequence[float]] = {
    "ABD": (5e-4, 2e-3, 8e-3),
    "D": (5e-4, 2e-3, 8e-3),
    "B": (2e-3, 8e-3, 3.2e-2, 1.28e-1),
}
"""By the levels at which they are tried: the first two for whatever reads D, the third for what does not."""
LOWER = 1.25e-4
"""Tried on CIFAR-10 once the rates were chosen, as most were the lowest: whether the grid ends too early. Never chosen."""
RATE_SEED = 100

SEEDS = (range(5), range(5, 10))
"""The second half when all data sets have the first."""

PART = ("data.image_size=128", "data.val_size=2500", "data.train_size=5000", "data.batch_size=128")
DATA: Mapping[str, Sequence[str]] = {
    "cifar10": ("data=cifar10", *PART),
    "clothing": ("data=image_folder", "data.root={clothing}", "data.batch_size=32", "recipe.epochs=24"),
    "cifar100": ("data=cifar100", *PART),
}

ALWAYS = (
    "model.backbone.cache=true",
    "model.backbone.save=reference",
    "augment=flip",
    "recipe=transfer",
    "recipe.lr_batch=0",
    "trainer.precision=32-true",
    "trainer.accelerator=cpu",
    "logger=none",
    "callbacks.attention_maps=null",
    "callbacks.best_checkpoint=null",
)
"""Settings of all runs. Everything else is lta's default: 12 epochs, the last checkpoint is tested."""

KEPT = ("pc", "B")
"""Method and level of the networks whose maps are looked at: their checkpoints are kept."""


class Run(NamedTuple):
    data: str
    method: str
    levels: str
    rate: float
    seed: int

    @property
    def name(self) -> str:
        kind = "rate" if self.seed == RATE_SEED else "run"
        return f"{kind}-{self.data}-{self.method}-{self.levels}-{self.rate:g}-seed{self.seed}"

    def list_settings(self, places: Mapping[str, str]) -> list[str]:
        """Of `lta run`; `places` of the folders that `DATA` names."""
        if self.method == "gap":
            model = ["model=backbone_gap", f"model.level={self.levels}"]
        else:
            model = ["model=backbone_att3", f"model.levels=[{','.join(self.levels)}]", f"compat={self.method}"]
            model += [f"model.prune_inert_query={str(self.method in INERT).lower()}"]
        data = [setting.format(**places) for setting in DATA[self.data]]
        return [*model, *ALWAYS, *data, f"recipe.lr={self.rate}", f"seed={self.seed}"]


def find_rate_levels(method: str, levels: str) -> str:
    """At which levels the rate of a method for `levels` is chosen."""
    if "D" not in levels:
        return "B"
    return "D" if method == "gap" else "ABD"


def list_rate_runs(data: str) -> list[Run]:
    """Those by which the rates of a data set are chosen."""
    tried = [(method, find_rate_levels(method, of)) for of in ("D", "B") for method in METHODS]
    return [Run(data, method, levels, rate, RATE_SEED) for method, levels in tried for rate in RATES[levels]]


def choose_rates(data: str, val_errors: Mapping[str, float]) -> dict[str, float]:
    """By method and levels (`pc-ABD`) the rate with the lowest validation error, of several the lowest rate. `val_errors`:
    by the runs' names. Those of which a run is missing are left out."""
    tried: dict[str, list[Run]] = {}
    for run in list_rate_runs(data):
        tried.setdefault(f"{run.method}-{run.levels}", []).append(run)
    done = {key: runs for key, runs in tried.items() if all(run.name in val_errors for run in runs)}
    return {key: min((val_errors[run.name], run.rate) for run in runs)[1] for key, runs in done.items()}


def list_runs(data: str, rates: Mapping[str, float], seeds: Sequence[int]) -> Iterator[Run]:
    """Seed by seed, so that at any time all methods have the same ones. `rates`: as of `choose_rates`; what has none is left
    out."""
    first = [levels for levels in LEVELS if levels in FIRST]
    for part in (first, [levels for levels in LEVELS if levels not in FIRST]):
        for seed, levels, method in product(seeds, part, METHODS):
            key = f"{method}-{find_rate_levels(method, levels)}"
            if key in rates and (method != "gap" or len(levels) == 1):
                yield Run(data, method, levels, rates[key], seed)
