"""The trained networks that the page asks, and what it says of each."""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, cast

import torch

from lta.apply.levels import count_cells, find_best_level
from lta.inference.checkpoint import load
from lta.models.taught_net import TaughtNet
from lta.pictures.grey_range import Range, find_grey_range
from lta.protocols import TrainedClassifier, takes_queries
from lta.runtime.teachers import NOTHING_TRAINED, is_untaught, name_teachers

NAMED = 12
"""Classes that are listed; of more, the number is given."""


class Network(NamedTuple):
    """`levels` with a map; of these, `acting` are those whose map takes notice of the query; `about` one sentence;
    `grey_range` is what 16-bit grey is read in; `cells` of levels along a picture's shorter side."""

    name: str
    classifier: TrainedClassifier
    levels: tuple[str, ...]
    acting: tuple[str, ...]
    about: str
    grey_range: Range | None = None
    cells: Mapping[str, int] = MappingProxyType({})

    @property
    def best_level(self) -> str:
        """What effects follow where nothing else is chosen."""
        return find_best_level(self.levels, self.cells)

    @property
    def is_untaught(self) -> bool:
        return is_untaught(self.classifier.hparams.get("taught_by"))

    @property
    def query_note(self) -> str:
        """Where a query acts, in words."""
        if not takes_queries(self.classifier.network):
            return "These maps are made without a query."
        if not self.acting:
            return "These maps provably ignore the query: it adds the same to all of a picture's scores, or nothing."
        deaf = [level for level in self.levels if level not in self.acting]
        return f"The query acts at {', '.join(self.acting)}" + (f", not at {', '.join(deaf)}." if deaf else ".")


def load_networks(checkpoints: Sequence[str], which: str, device: torch.device) -> tuple[Network, ...]:
    """In the order given. Raises ValueError where one can't be loaded or makes no maps."""
    return tuple(
        _load_network(checkpoint, name, which, device)
        for checkpoint, name in zip(checkpoints, shorten_paths(checkpoints), strict=True)
    )


def name_untaught(classifier: TrainedClassifier) -> Network:
    """What the page shows where no network was given."""
    network = cast(TaughtNet, classifier.network)
    about = (
        f"This map was taught nothing: it shows how long the features of {network.trunk.name}, a pretrained network, are. "
        "You can teach your own in the tab Teach."
    )
    return Network(f"{NOTHING_TRAINED[0].upper()}{NOTHING_TRAINED[1:]}", classifier, network.levels, (), about)


def shorten_paths(checkpoints: Sequence[str]) -> list[str]:
    """As much of the end of each path as tells them apart, of a file with the run that it lies in (run/checkpoints/file)."""
    parts = [Path(os.path.abspath(checkpoint)).parts for checkpoint in checkpoints]
    for more in range(max(map(len, parts))):
        short = [str(Path(*part[-(more + (3 if part[-1].endswith(".ckpt") else 1)) :])) for part in parts]
        if len(set(short)) == len(short):
            return short
    return list(checkpoints)


def choose_start_levels(networks: Sequence[Network]) -> list[str]:
    """The level that effects begin with, where it is the same for all; else none, and each network's own is taken."""
    best = {network.best_level for network in networks}
    return list(best) if len(best) == 1 else []


def merge_levels(networks: Sequence[Network]) -> tuple[str, ...]:
    """The levels of all of them, shallow to deep."""
    return tuple(sorted({level for network in networks for level in network.levels}))


def _load_network(checkpoint: str, name: str, which: str, device: torch.device) -> Network:
    classifier = load(checkpoint, which).to(device)
    network = classifier.network
    if not network.levels:
        raise ValueError(f"checkpoint={checkpoint}: this network has no attention maps")
    acting = network.acting_levels if takes_queries(network) else ()
    about = _describe_network(checkpoint, which, classifier)
    return Network(
        name, classifier, network.levels, acting, about, find_grey_range(classifier.hparams), count_cells(classifier)
    )


def _describe_network(checkpoint: str, which: str, classifier: TrainedClassifier) -> str:
    classes = classifier.class_names
    listed = ": " + ", ".join(map(str, classes)) if len(classes) <= NAMED else ""
    height, width = classifier.hparams["image_size"]
    said = f"Sees a picture at {width} x {height} pixels and assigns it to one of {len(classes)} classes{listed}."
    if (named := name_teachers(classifier.hparams.get("taught_by"))) is not None:
        said += f" Its maps were taught by {named}."
    with suppress(OSError, ValueError, KeyError, TypeError):  # not every checkpoint lies in a directory with results
        results = json.loads((Path(checkpoint) / "results.json").read_text())
        if results["test_checkpoint"] == which:
            said += f" Test error {results['test']['error']:.1f} % ({results['test_images']:,} images)."
    return said
