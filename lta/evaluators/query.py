"""Whether attention is driven by its query (paper, section 2): what changes when another query is put in its place."""

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lta import checks
from lta.evaluators.evaluator import Evaluator, Result
from lta.evaluators.passes import generator, look_at
from lta.evaluators.query_pairs import of_pairs
from lta.evaluators.query_shown import show
from lta.measures.intervals import mean, share
from lta.measures.map_statistics import total_variation
from lta.measures.query_change import correlation, rank_correlation, sensitivity
from lta.measures.roles import derangement
from lta.viz.panel import Example, panel

REPLACED = {"other": "another image's", "zero": "zero", "noise": "noise"}
INERT, ACTS = 1e-5, 1e-3
"""A map that moves by less than the first at every image is inert up to rounding; by more than the second on average,
it acts. The unit is total variation: the share of attention that lies elsewhere."""


class Query(Evaluator):
    """Each query g is replaced by that of another image, by zero, and by noise with g's mean and deviation.

    For every level that reads it: `total_variation`, Pearson and Spearman correlation between the maps before and
    after, means over images; `largest` is the largest total variation of any image. `sensitivity`: see
    `lta.measures.query_change`. `verdict` says in words whether the query acts. For every query: the share of images
    whose class changes, and the total variation of the class probabilities. All in float32.

    Where the images show two objects of known class (data=digit_pairs), also whether the map moves to the object of the
    query's class: see `lta.evaluators.query_pairs`.
    """

    name = "query"

    def __init__(self, pictures: int = 6, seed: int = 0):
        checks.whole("evaluator.query.pictures", pictures)
        checks.whole("evaluator.query.seed", seed)
        self.pictures, self.seed = pictures, seed

    def check(self, classifier: Any, data: Any) -> None:
        if not getattr(classifier.network, "queries", None):
            raise ValueError("evaluator=query asks what the query does, and this network has no attention that reads one")
        if len(data.test.labels) < 2:
            raise ValueError("evaluator=query needs two images or more: one's query is shown to the other")

    def run(self, classifier: Any, data: Any) -> Result:
        self.check(classifier, data)
        with torch.autocast(next(classifier.parameters()).device.type, enabled=False):
            return self._run(classifier, data)

    def _run(self, classifier: Any, data: Any) -> Result:
        network, split = classifier.network, data.test
        own = look_at(classifier, split, lambda images, index: _own(classifier, images, index, self.seed),
                      data.eval_batch_size, "query")  # fmt: skip
        queries = {source: own[f"g/{source}"] for source in network.branches}
        levels: dict[str, Any] = {level: _about(network, level) for level in network.levels}
        prediction: dict[str, Any] = {}
        examples: dict[str, dict[str, np.ndarray]] = {}
        for source in queries:
            for kind in REPLACED:
                found = self._replaced(classifier, data, own, source, kind)
                prediction.setdefault(source, {})[kind] = {
                    "class_changes": share(int(found["changed"].sum()), len(found["changed"])),
                    "probabilities": mean(found["probabilities"], seed=self.seed),
                }
                for level in _readers(network, source):
                    levels[level][kind] = _figures(found, level, self.seed)
                    maps = examples.setdefault(level, {"own": own[f"map/{level}"][: self.pictures]})
                    maps[kind] = found[f"map/{level}"][: self.pictures]
        for level, figures in levels.items():
            if f"sensitivity/{level}" in own:
                figures["sensitivity"] = mean(own[f"sensitivity/{level}"], seed=self.seed)
            figures["verdict"], figures["in_words"] = verdict(figures)
        pairs = of_pairs(classifier, data, queries, self.seed) if data.test.side_labels is not None and queries else None
        rows, lines = show(levels, prediction, pairs)
        pictures = self._sheets(classifier, data, own, examples) if self.pictures else {}
        figures = {"levels": levels, "prediction": prediction, "rule": {"inert": INERT, "acts": ACTS}, "pairs": pairs}
        return Result(figures, rows, lines, pictures)

    def _replaced(
        self, classifier: Any, data: Any, own: dict[str, np.ndarray], source: str, kind: str
    ) -> dict[str, np.ndarray]:
        """Maps and predictions with another query in the place of g_`source`, and how much they have changed."""
        network, g = classifier.network, own[f"g/{source}"]
        partner = derangement(len(g), self.seed).numpy()
        average, deviation = torch.from_numpy(g.mean(0)), torch.from_numpy(g.std(0))

        def look(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
            if kind == "other":
                given = torch.from_numpy(g[partner[index]])
            elif kind == "zero":
                given = torch.zeros(len(index), g.shape[1])
            else:
                drawn = torch.randn(len(index), g.shape[1], generator=generator(index, self.seed + 1))
                given = average + deviation * drawn
            output = network(classifier.preprocess(images), global_feats={source: given.to(images.device)})
            return _compared(output, own, index, _readers(network, source))

        return look_at(classifier, data.test, look, data.eval_batch_size, f"query {source}: {REPLACED[kind]}")

    def _sheets(self, classifier: Any, data: Any, own: Any, examples: Any) -> dict[str, Image.Image]:
        names, sheets = classifier.class_names, {}
        for level, maps in examples.items():
            shown = [
                Example(
                    image=data.test.images[i],
                    maps={kind if kind == "own" else f"g: {kind}": attn[i] for kind, attn in maps.items()},
                    label=str(data.class_names[data.test.labels[i]]),
                    predicted=str(names[own["predicted"][i]]),
                    confidence=float(own["probabilities"][i].max()),
                )
                for i in range(len(maps["own"]))
            ]
            sheets[f"maps_{level}"] = panel(shown, title=f"level {level}: own query, and others in its place")
        return sheets


def _readers(network: Any, source: str) -> list[str]:
    return [level for level in network.levels if network.queries[level] == source]


def _about(network: Any, level: str) -> dict[str, Any]:
    return {
        "reads": network.queries[level],
        "inert_by_construction": level in network.inert_levels,
        "pruned": level in network.pruned_levels,
    }


@torch.no_grad()
def _own(classifier: Any, images: Tensor, index: np.ndarray, seed: int) -> dict[str, Tensor]:
    """Maps, queries and prediction as they are, and how the maps depend on the queries."""
    network = classifier.network
    read: dict[str, tuple[Tensor, Tensor | None]] = {}
    hooks = [
        unit.register_forward_pre_hook(lambda _, inputs, level=level: read.__setitem__(level, inputs))
        for level, unit in network.attention.items()
    ]
    try:
        output = network(classifier.preprocess(images))
    finally:
        for hook in hooks:
            hook.remove()
    probabilities = output.logits.float().softmax(1)
    found = {"probabilities": probabilities, "predicted": probabilities.argmax(1)}
    found |= {f"map/{level}": attn for level, attn in output.attn.items()}
    found |= {f"g/{source}": g for source, g in output.global_feats.items()}
    for level, (local, query) in read.items():
        if query is not None:
            direction = torch.randn(query.shape, generator=generator(index, seed)).to(query)
            unit = network.attention[level]
            found[f"sensitivity/{level}"] = sensitivity(
                lambda g, unit=unit, local=local: unit(local, g).attn, query, direction
            )
    return found


def _compared(output: Any, own: dict[str, np.ndarray], index: np.ndarray, levels: list[str]) -> dict[str, Tensor]:
    probabilities = output.logits.float().softmax(1)
    before = torch.from_numpy(own["probabilities"][index]).to(probabilities)
    found = {
        "changed": (probabilities.argmax(1) != before.argmax(1)),
        "probabilities": (probabilities - before).abs().sum(1) / 2,
    }
    for level in levels:
        attn = output.attn[level]
        map_before = torch.from_numpy(own[f"map/{level}"][index]).to(attn)
        found[f"map/{level}"] = attn
        found[f"total_variation/{level}"] = total_variation(attn, map_before)
        found[f"correlation/{level}"] = correlation(attn.flatten(1), map_before.flatten(1))
        found[f"rank_correlation/{level}"] = rank_correlation(attn, map_before)
    return found


def _figures(found: dict[str, np.ndarray], level: str, seed: int) -> dict[str, Any]:
    figures = {
        name: mean(found[f"{name}/{level}"], seed=seed) for name in ("total_variation", "correlation", "rank_correlation")
    }
    return figures | {"largest": float(found[f"total_variation/{level}"].max())}


def verdict(figures: dict[str, Any]) -> tuple[str, str]:
    """One of "pruned", "inert", "acts", "hardly acts", and the sentence with the number that shows it."""
    if figures["pruned"]:
        return "pruned", "the query was left out of this network, whose map provably ignores it"
    largest = max(figures[kind]["largest"] for kind in REPLACED)
    moved = figures["other"]["total_variation"]["value"]
    if largest < INERT:
        why = " (the softmax cancels u.g)" if figures["inert_by_construction"] else ""
        return "inert", f"the query is inert{why}: no other query moves more than {largest:.1e} of any image's attention"
    similar = figures["other"]["correlation"]["value"]
    told = "" if similar is None else f"; the maps of two queries correlate at {similar:.3f}"
    if moved > ACTS:
        return "acts", f"the query acts: another image's moves {100 * moved:.2g} % of the attention{told}"
    return "hardly acts", f"the query hardly acts: another image's moves {100 * moved:.2g} % of the attention{told}"
