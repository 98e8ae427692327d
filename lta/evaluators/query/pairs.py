"""Pictures of two objects of known class: does the map move to the object of the query's class?

Each picture is looked at under the query of another picture, with one object, of the main object's class, and under one of
the side object's class. What is scored is the mean of both: a map that takes no notice of its query has exactly as much
attention on the query's object as on the other, whatever the objects' sizes and colours, and so has uniform attention.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from lta.evaluators.evaluator import labels_for
from lta.evaluators.query.replaced import ROLES, run_own_queries
from lta.measures.intervals import difference, mean
from lta.measures.placement import Placement, find_placements
from lta.measures.roles import coverage
from lta.protocols import Split, Splits, TrainedClassifier

OTHER = {"main": "side", "side": "main"}


class Donors(NamedTuple):
    """Whose queries each picture is given: by object, positions `chosen` in `split` and `queries` by level; `asked`: which
    pictures have two objects, and donors for both. `said`: what donors are."""

    split: Split
    said: str
    chosen: dict[str, Int[np.ndarray, " images"]]
    queries: dict[str, dict[str, Float[np.ndarray, "images channels"]]]
    asked: Bool[np.ndarray, " images"]


def has_pairs(split: Split) -> bool:
    """Whether the split's pictures hold a second object with a label of its own."""
    return split.side_labels is not None and split.roles is not None


def classes_of(classifier: TrainedClassifier, data: Splits) -> dict[str, Int[np.ndarray, " images"]]:
    """By object, positions in the network's classes (of an image without side object, the main one's); raises ValueError
    where the network does not know one of them."""
    split = data.test
    assert split.side_labels is not None, "has_pairs comes first"
    sides = np.where(split.side_labels < 0, split.labels, split.side_labels)
    return {"main": labels_for(classifier, data, split.labels), "side": labels_for(classifier, data, sides)}


def choose_donors(classifier: TrainedClassifier, data: Splits, own: Mapping[str, np.ndarray], seed: int) -> Donors:
    """Pictures of `data.singles`; or, where data have none, other test images whose main object has that class, of another
    source. Raises ValueError where no picture has donors for both its objects.
    """
    split, singles = data.test, getattr(data, "singles", None)
    assert split.side_labels is not None, "has_pairs comes first"
    if singles is not None:
        found = run_own_queries(classifier, singles, data.eval_batch_size)
        queries = {source: found[f"g {source}"] for source in own}
        said = f"{len(singles.labels):,} pictures of one object"
    else:
        singles, queries = split, own
        said = "other test images whose main object has that class"
    rng = np.random.default_rng((seed, 3))
    of_class = {label: np.flatnonzero(singles.labels == label) for label in np.unique(singles.labels)}
    key = np.arange(len(split.labels)) if split.sources is None else split.sources
    chosen = {
        object_: np.array([_draw(rng, of_class.get(label), key, n, singles is split) for n, label in enumerate(labels)])
        for object_, labels in (("main", split.labels), ("side", split.side_labels))
    }
    asked = (chosen["main"] >= 0) & (chosen["side"] >= 0) & (split.labels != split.side_labels)
    if not asked.any():
        raise ValueError(
            f"evaluator=query: no test image has a main and a side object (side_labels) of two different classes for which "
            f"{said} have a query"
        )
    given = {object_: {source: g[where] for source, g in queries.items()} for object_, where in chosen.items()}
    return Donors(singles, said, chosen, given, asked)


def _draw(rng: np.random.Generator, candidates: np.ndarray | None, key: np.ndarray, number: int, same_split: bool) -> int:
    """-1 where there is none."""
    if candidates is not None and same_split:
        candidates = candidates[key[candidates] != key[number]]
    return -1 if candidates is None or not len(candidates) else int(rng.choice(candidates))


def summarise_pairs(
    found: Mapping[str, np.ndarray],
    classifier: TrainedClassifier,
    data: Splits,
    donors: Donors,
    sizes: Mapping[str, tuple[int, int]],
) -> dict[str, Any]:
    """Of each of the levels in `sizes` (rows and columns of their maps), for `energy` (share of the attention) and
    `pointing` (how often the highest cell has more of one object than of the other): `query` on the object of the query's
    class, `other` on the other, their paired `difference`, and the controls: `uniform` (of uniform attention on either)
    and, under the image's own query, `named` and `not_named`: on the object that the network names and on the other, of
    images where it names one of the two.

    `predictions`: how often the network names the query's class, and the other's.
    """
    split, asked = data.test, donors.asked
    assert split.roles is not None, "has_pairs comes first"
    groups = None if split.sources is None else split.sources[asked]
    classes = {object_: labels[asked] for object_, labels in classes_of(classifier, data).items()}
    named = {object_: found["own predicted"][asked] == classes[object_] for object_ in ROLES}
    names_one = named["main"] | named["side"]

    def compare_objects(of: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Any]:
        """`of[whose query][object]`"""
        query, other = ((of["main"][a] + of["side"][b]) / 2 for a, b in (("main", "side"), ("side", "main")))
        return {"query": mean(query, groups), "other": mean(other, groups), "difference": difference(query, other, groups)}

    levels = {}
    placements = find_placements(classifier.network, (split.images.shape[1], split.images.shape[2]))
    for level, size in sizes.items():
        levels[level] = {}
        for score in ("energy", "pointing"):
            of = {
                whose: {object_: found[f"{whose} {level} {score} {object_}"][asked] for object_ in ROLES}
                for whose in ("own", *ROLES)
            }
            own = {
                name: np.where(names_one, np.where(named["main"], of["own"][one], of["own"][OTHER[one]]), np.nan)
                for name, one in (("named", "main"), ("not_named", "side"))
            }
            levels[level][score] = compare_objects(of) | {name: mean(values, groups) for name, values in own.items()}
            levels[level][score]["uniform"] = _compute_uniform_score(split.roles[asked], size, placements.get(level), score)
        levels[level]["verdict"] = _verdict(levels[level]["energy"]["difference"])
    predicted = {
        whose: {object_: (found[f"{whose} predicted"][asked] == classes[object_]).astype(float) for object_ in ROLES}
        for whose in ROLES
    }
    return {
        "images": int(asked.sum()),
        "left_out": int((~asked).sum()),
        "queries_of": donors.said,
        "levels": levels,
        "predictions": compare_objects(predicted) | {"own_names_one": mean(names_one.astype(float), groups)},
    }


def _compute_uniform_score(roles: np.ndarray, size: tuple[int, int], placement: Placement | None, score: str) -> float:
    """What uniform attention has on either object, on average."""
    covered = coverage(torch.from_numpy(np.ascontiguousarray(roles)), size, placement)
    main, side = covered[:, ROLES["main"]], covered[:, ROLES["side"]]
    if score == "energy":
        return float((main + side).mean()) / 2
    return float((main != side).float().mean()) / 2


def _verdict(change: Mapping[str, Any]) -> str:
    low, high = change["interval"]
    if low > NOTHING:
        return "moves to the object of the query's class"
    if high < -NOTHING:
        return "moves away from the object of the query's class"
    if high - low <= NOTHING:
        return "does not move to the object of the query's class"
    return "is not shown to move to the object of the query's class"


NOTHING = 1e-6
"""A difference of this much is float32 rounding."""
