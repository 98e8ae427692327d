"""Does the query drive attention? (paper, section 2) What maps and predictions do when g is replaced."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lta import checks
from lta.evaluators.evaluator import Evaluator, NotApplicable, Result, check_attention
from lta.evaluators.query import pictures, table
from lta.evaluators.query.pairs import choose_donors, classes_of, has_pairs, summarise_pairs
from lta.evaluators.query.replaced import KINDS, make_stand_ins, readers, run_own_queries, run_replaced_queries
from lta.measures.intervals import mean, share
from lta.measures.map_change import map_change
from lta.measures.roles import derangement
from lta.protocols import QueriedNetwork, Splits, TrainedClassifier, list_missing, takes_queries

INERT, ACTS, WEAK = 1e-5, 1e-3, 1e-2
"""Bars of the verdict, as shares of an image's attention that move. No image's moves by INERT: inert. Some image's by more
than ACTS: the query acts; weakly, where another image's query moves less than WEAK on average. Where maps don't sum to 1,
a change of the sum counts as much."""


class Query(Evaluator):
    """For every level: its map with its query g replaced by another image's, by zero and by noise (KINDS), in float32.

    By level and stand-in, means over images: `tv` (share of the attention that moves), `correlation` and
    `rank_correlation` of the maps; `tv_max` over images; for other normalisers than softmax `total` too (relative change
    of the sum over positions). `other_picture` is the control: the map of that other image, under its own query. `gain`:
    relative change of the map per relative change of g, to first order, in `directions` random directions an image. By
    query: share of images whose class changes, and `tv` of the class probabilities. `verdict` says it in words.

    Where data have `side_labels` and roles, also whether the map moves to the object of the query's class (see
    `query_pairs`). Intervals resample `sources` where there are any.
    """

    name = "query"

    def __init__(self, directions: int = 1, examples: int = 6, seed: int = 0):
        for name, value, least in (("directions", directions, 1), ("examples", examples, 0), ("seed", seed, 0)):
            checks.require_whole_number(f"evaluator.query.{name}", value, least)
        self.directions, self.examples, self.seed = directions, examples, seed

    def check(self, classifier: TrainedClassifier, data: Splits) -> None:
        check_attention(self.name, classifier)
        network = classifier.network
        if not takes_queries(network):
            missing = ", ".join(list_missing(network, QueriedNetwork))
            raise NotApplicable(f"evaluator=query can't replace the query of {type(network).__name__}: it has no {missing}")
        if len(data.test.labels) < 2:
            raise ValueError(
                f"evaluator=query gives each image another's query, so {len(data.test.labels)} test image is too few"
            )
        if has_pairs(data.test) and network.branches:
            classes_of(classifier, data)

    def run(self, classifier: TrainedClassifier, data: Splits) -> Result:
        self.check(classifier, data)
        network, split, batch_size = classifier.network, data.test, data.eval_batch_size
        assert takes_queries(network)
        levels = {level: _describe_level(network, level) for level in network.levels}
        figures: dict[str, Any] = {"levels": levels, "predictions": {}, "pairs": None}
        sheets = {}
        if network.branches:
            own = run_own_queries(classifier, split, batch_size)
            queries = {source: own[f"g {source}"] for source in network.branches}
            replaced = make_stand_ins(queries, self.seed)
            donors = choose_donors(classifier, data, queries, self.seed) if has_pairs(split) else None
            found = run_replaced_queries(
                classifier,
                split,
                queries,
                replaced,
                self.directions,
                self.seed,
                batch_size,
                donors.queries if donors else {},
            )
            for level, about in levels.items():
                if about["query"] is not None:
                    about |= _summarise_changes(found, own, level, about["normaliser"], split.sources, self.seed)
            figures["predictions"] = {
                source: _summarise_predictions(found, source, split.sources) for source in network.branches
            }
            if donors:
                sizes = {level: tuple(about["map"]) for level, about in levels.items() if about["query"] is not None}
                figures["pairs"] = summarise_pairs(found, classifier, data, donors, sizes)
            shown = np.unique(np.linspace(0, len(split.labels) - 1, self.examples).round().astype(int))
            if self.examples:
                sheets = pictures.sheets(classifier, data, shown, replaced, found, donors, self.seed)
        for about in levels.values():
            about["verdict"] = verdict(about)
        return Result(figures, table.rows(figures), table.lines(figures, len(split.labels)), sheets)


def _describe_level(network: QueriedNetwork, level: str) -> dict[str, Any]:
    source = network.queries[level]
    return {
        "query": source,
        "read_by": [] if source is None else readers(network).get(source, []),
        "normaliser": network.attention[level].normaliser,
        "inert_by_construction": level in network.inert_levels,
        "read": network.attention[level].compat.reads_query,
    }


def _summarise_changes(
    found: Mapping[str, np.ndarray],
    own: Mapping[str, np.ndarray],
    level: str,
    normaliser: str,
    sources: np.ndarray | None,
    seed: int,
) -> dict[str, Any]:
    maps = torch.from_numpy(own[f"map {level}"])
    other = map_change(maps, maps[derangement(len(maps), seed)])._asdict()
    kinds = {kind: {name: found[f"{kind} {level} {name}"] for name in other} for kind in KINDS}
    names = [name for name in other if name != "total" or normaliser != "softmax"]

    def summarise_change(change: Mapping[str, Any]) -> dict[str, Any]:
        largest = {f"{name}_max": float(change[name].max()) for name in names if name in ("tv", "total")}
        return {name: mean(np.asarray(change[name]), sources) for name in names} | largest

    return {
        "map": list(maps.shape[1:]),
        "replaced_by": {kind: summarise_change(change) for kind, change in kinds.items()},
        "other_picture": summarise_change({name: value.numpy() for name, value in other.items()}),
        "gain": mean(found[f"gain {level}"], sources),
    }


def _summarise_predictions(found: Mapping[str, np.ndarray], source: str, sources: np.ndarray | None) -> dict[str, Any]:
    changed = {kind: found[f"{kind} g_{source} changed"] for kind in KINDS}
    return {
        kind: {"changed": share(flags, sources), "tv": mean(found[f"{kind} g_{source} tv"], sources)}
        for kind, flags in changed.items()
    }


def verdict(about: Mapping[str, Any]) -> dict[str, Any]:
    """`words`: "left out", "inert", "hardly acts", "acts weakly" or "acts"; `why`; `largest`: the number that shows it."""
    proof = "score = u.l + u.g + b, and the softmax over positions cancels u.g"
    if not about["read"]:
        proof = "all scores are the same, whatever the query"
    if about["query"] is None:
        return {"words": "left out", "why": f"there is nothing to replace, and the map could not notice: {proof}"}
    kinds = about["replaced_by"]
    largest = max(one.get(name, 0.0) for one in kinds.values() for name in ("tv_max", "total_max"))
    moved = kinds["another"]["tv"]["value"]
    summed = about["normaliser"] != "softmax"
    if largest < INERT:
        why = f"no stand-in moves more than {largest:.1e} of any image's attention{' or changes its sum by more' * summed}"
        why += f" (bar {INERT:g})" + (f": {proof}" if about["inert_by_construction"] else "")
        return {"words": "inert", "why": why, "largest": largest}
    if about["inert_by_construction"]:
        why = f"{proof}; what moves, at most {largest:.1e}, is float32 rounding of large scores"
        return {"words": "inert", "why": why, "largest": largest}
    why = f"another image's g moves {_percent(moved)} of the attention on average"
    if about["other_picture"]["tv"]["value"]:
        beside = moved / about["other_picture"]["tv"]["value"]
        why += f", {_percent(beside)} of what another picture moves"
    if summed:
        moved = max(moved, kinds["another"]["total"]["value"])
        why += f", and changes its sum by {_percent(kinds['another']['total']['value'])}"
    why += f"; the most by any stand-in is {_percent(largest)}"
    words = "hardly acts" if largest <= ACTS else "acts weakly" if moved < WEAK else "acts"
    return {"words": words, "why": why, "largest": largest}


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %" if value >= 0.01 else f"{100 * value:.2g} %"
