"""Images of two objects of known class: does the map move to the object of the query's class?"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lta.evaluators.passes import look_at
from lta.measures.intervals import mean
from lta.measures.map_statistics import distribution
from lta.measures.roles import coverage

SIDE, MAIN = 1, 2


def of_pairs(classifier: Any, data: Any, queries: dict[str, np.ndarray], seed: int) -> dict[str, Any] | None:
    """Each image is looked at twice, with the query of a single-object image of its labelled object's class, and of its
    other object's; which images, is drawn by `seed` from `data.singles`.

    By level, means over images with intervals that resample the drawings: `labelled` and `other`: of the attention on
    both objects the share on the labelled one, under the query of its class and of the other's; `moved`: their paired
    difference, 0 where the query does not matter, positive where the map moves to the query's object; `pointing`: the
    paired difference in how often the map's maximum lies on the labelled object (a shared maximum counts by its share);
    `own`: the share under the image's own query; `by_area`: that of uniform attention.
    """
    network, split, singles = classifier.network, data.test, data.singles

    def make(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        return {f"g/{source}": g for source, g in classifier(images).global_feats.items()}

    of_singles = look_at(classifier, singles, make, data.eval_batch_size, "queries of single objects")
    rng = np.random.default_rng(seed)
    chosen = {
        name: np.array([rng.choice(np.flatnonzero(singles.labels == label)) for label in labels])
        for name, labels in (("labelled", split.labels), ("other", split.side_labels))
    }
    levels = [level for level in network.levels if network.queries[level] is not None]

    def look(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        seen = classifier.preprocess(images)
        roles = torch.from_numpy(split.roles[index]).to(images.device)
        given = {
            name: {source: torch.from_numpy(of_singles[f"g/{source}"][which[index]]).to(images.device) for source in queries}
            for name, which in chosen.items()
        }
        found = {}
        for name, global_feats in (*given.items(), ("own", None)):
            attn = network(seen, global_feats=global_feats).attn
            for level in levels:
                covered = coverage(roles, tuple(attn[level].shape[1:])).to(attn[level].device)
                found[f"{name}/{level}"] = on_labelled(attn[level], covered)
                found[f"{name}_points/{level}"] = points_at(attn[level], covered[:, MAIN])
                if name == "own":
                    found[f"area/{level}"] = on_labelled(torch.ones_like(attn[level]), covered)
        return found

    found = look_at(classifier, split, look, data.eval_batch_size, "query: pairs of objects")
    return {
        "pairs": len(split.labels),
        "levels": {
            level: {
                **{name: mean(found[f"{name}/{level}"], split.sources, seed) for name in ("labelled", "other", "own")},
                "moved": mean(found[f"labelled/{level}"] - found[f"other/{level}"], split.sources, seed),
                "pointing": mean(found[f"labelled_points/{level}"] - found[f"other_points/{level}"], split.sources, seed),
                "by_area": float(np.nanmean(found[f"area/{level}"])),
            }
            for level in levels
        },
    }


def on_labelled(attn: Tensor, covered: Tensor) -> Tensor:
    """(batch,): of the attention on both objects, the share on the labelled one; NaN where neither has any."""
    mass = (distribution(attn).unsqueeze(1) * covered).sum((2, 3))
    both = mass[:, MAIN] + mass[:, SIDE]
    return torch.where(both > 0, mass[:, MAIN] / torch.where(both > 0, both, 1), torch.nan)


def points_at(attn: Tensor, main: Tensor) -> Tensor:
    """(batch,): 1 where the map's maximum lies on the labelled object; the covered share of the cells that share it."""
    highest = (attn == attn.amax((1, 2), keepdim=True)).to(main.dtype)
    return (highest * main).sum((1, 2)) / highest.sum((1, 2))
