"""What a network does under queries that are not its own: passes over images, in float32 whatever the precision."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lta.evaluators.passes import run_forward_passes
from lta.measures.map_change import gain, map_change
from lta.measures.map_statistics import CONSTANT
from lta.measures.placement import Placement, find_placements
from lta.measures.roles import coverage, derangement, role_mass
from lta.protocols import QueriedNetwork, Split, TrainedClassifier, takes_queries

Queries = Mapping[str, Float[np.ndarray, "images channels"]]
"""One query an image, by the level that it is made from."""

KINDS = {"another": "another image's g", "zero": "g = 0", "noise": "noise"}
ROLES = {"main": 2, "side": 1}
"""Objects, as values of a role map."""


def readers(network: QueriedNetwork) -> dict[str, list[str]]:
    """By the level that a query is made from: the levels whose attention reads it."""
    return {source: [t for t in network.levels if network.queries[t] == source] for source in network.branches}


def run_own_queries(classifier: TrainedClassifier, split: Split, batch_size: int) -> dict[str, np.ndarray]:
    """Of each image under its own queries: "g <level>", "map <level>" and "predicted"."""

    def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        with torch.autocast(images.device.type, enabled=False):
            output = classifier(images)
        return (
            {f"g {source}": g for source, g in output.global_feats.items()}
            | {f"map {level}": attn for level, attn in output.attn.items()}
            | {"predicted": output.logits.argmax(1)}
        )

    return run_forward_passes(classifier, split, measure_batch, batch_size, "query: own")


def make_stand_ins(queries: Queries, seed: int) -> dict[str, dict[str, Float[np.ndarray, "images channels"]]]:
    """By what stands in (KINDS), then as `queries`.

    `another` is that of a random other image, the same one for all levels; `noise` is Gaussian, each coordinate with its
    mean and standard deviation over these images.
    """
    count = len(next(iter(queries.values())))
    partner = derangement(count, seed).numpy()
    rng = np.random.default_rng((seed, 1))
    return {
        "another": {source: g[partner] for source, g in queries.items()},
        "zero": {source: np.zeros_like(g) for source, g in queries.items()},
        "noise": {source: draw_matched_noise(g, rng) for source, g in queries.items()},
    }


def draw_matched_noise(
    vectors: Float[np.ndarray, "images channels"], rng: np.random.Generator
) -> Float[np.ndarray, "images channels"]:
    """Gaussian vectors of the same shape and type; each coordinate has the mean and standard deviation of the given."""
    exact = vectors.astype(np.float64)
    return (exact.mean(0) + exact.std(0) * rng.standard_normal(vectors.shape)).astype(vectors.dtype)


def run_replaced_queries(
    classifier: TrainedClassifier,
    split: Split,
    queries: Queries,
    replaced: Mapping[str, Queries],
    directions: int,
    seed: int,
    batch_size: int,
    of_classes: Mapping[str, Queries],
) -> dict[str, np.ndarray]:
    """One query at a time replaced by each stand-in: "<kind> <level> <MapChange's field>", "<kind> g_<source> changed" (1
    where the predicted class changes) and "<kind> g_<source> tv" (of the class probabilities); "gain <level>".

    Where there are `of_classes`, all queries at once are replaced by each of them: "<whose> <level> energy <role>" (share
    of the attention), "<whose> <level> pointing <role>" (`score_pointing`), "<whose> predicted"; the same of "own".
    """
    network = classifier.network
    assert takes_queries(network)
    rng = np.random.default_rng((seed, 2))
    along = {source: rng.standard_normal((directions, *g.shape), np.float32) for source, g in queries.items()}

    def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        def move_to_device(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(images.device)

        found: dict[str, Tensor] = {}
        with torch.autocast(images.device.type, enabled=False):
            seen, kept = classifier.preprocess(images), {}
            own = network(seen, kept=kept)
            likely = own.logits.softmax(1)
            for source, levels in readers(network).items():
                for kind, given in replaced.items():
                    output = network(seen, {source: move_to_device(given[source][index])}, kept)
                    for level in levels:
                        change = map_change(own.attn[level], output.attn[level])
                        found |= {f"{kind} {level} {name}": value for name, value in change._asdict().items()}
                    found[f"{kind} g_{source} changed"] = own.logits.argmax(1) != output.logits.argmax(1)
                    found[f"{kind} g_{source} tv"] = (likely - output.logits.softmax(1)).abs().sum(1) / 2

                def compute_maps(g: Tensor, source: str = source, levels: list[str] = levels) -> dict[str, Tensor]:
                    attn = network(seen, {source: g}, kept).attn
                    return {level: attn[level] for level in levels}

                gains = [gain(compute_maps, own.global_feats[source], move_to_device(one[index])) for one in along[source]]
                found |= {f"gain {level}": torch.stack([one[level] for one in gains]).mean(0) for level in levels}
            if of_classes:
                assert split.roles is not None, "has_pairs comes first"
                roles = torch.from_numpy(np.ascontiguousarray(split.roles[index]))
                placements = find_placements(network, (images.shape[2], images.shape[3]))
                found |= _score_objects("own", own, roles, placements)
                for whose, given in of_classes.items():
                    output = network(seen, {source: move_to_device(g[index]) for source, g in given.items()}, kept)
                    found |= _score_objects(whose, output, roles, placements)
        return found

    return run_forward_passes(classifier, split, measure_batch, batch_size, "query: replaced")


def _score_objects(whose: str, output: Any, roles: Tensor, placements: Mapping[str, Placement]) -> dict[str, Tensor]:
    found = {f"{whose} predicted": output.logits.argmax(1)}
    for level, attn in output.attn.items():
        covered = coverage(roles, (attn.shape[1], attn.shape[2]), placements.get(level)).to(attn.device)
        for role, number in ROLES.items():
            found[f"{whose} {level} energy {role}"] = role_mass(attn, covered)[:, number]
            found[f"{whose} {level} pointing {role}"] = score_pointing(attn, covered[:, number], covered[:, 3 - number])
    return found


def score_pointing(
    attn: Float[Tensor, "batch rows columns"],
    covered: Float[Tensor, "batch rows columns"],
    other: Float[Tensor, "batch rows columns"],
) -> Float[Tensor, " batch"]:
    """1 where one object covers more than the other of the cell that has the highest weight, else 0; of several such cells
    the mean. A cell of a coarse map is larger than a stroke is wide: the more, not the whole, is asked for."""
    highest = attn >= attn.amax((1, 2), keepdim=True) * (1 - CONSTANT)
    return (highest & (covered > other)).sum((1, 2)) / highest.sum((1, 2))
