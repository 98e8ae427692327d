"""Sheets of the query evaluator: pictures, their maps under several queries, and what has moved."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from PIL import Image

from lta.evaluators.query.pairs import Donors
from lta.evaluators.query.replaced import Queries
from lta.measures.placement import find_placements
from lta.measures.roles import derangement
from lta.protocols import Split, Splits, TrainedClassifier, takes_queries
from lta.viz.colour import overlay
from lta.viz.difference import difference
from lta.viz.sheet import Tile, sheet

HEADINGS = ("picture", "map, own g", "other picture", "map, its g", "moved", "map, g = 0", "moved")
PAIR_HEADINGS = ("picture", "map, own g", "query of", "map", "query of", "map", "moved")
LEGEND = ("map", "change")
LEAST = 0.001  # per cent; below lies rounding


@torch.no_grad()
def sheets(
    classifier: TrainedClassifier,
    data: Splits,
    shown: np.ndarray,
    replaced: Mapping[str, Queries],
    found: Mapping[str, np.ndarray],
    donors: Donors | None,
    seed: int,
) -> dict[str, Image.Image]:
    """By level `replaced_<level>` and, with `donors`, `pairs_<level>`, of the images `shown` (positions)."""
    network, split = classifier.network, data.test
    assert takes_queries(network)
    device = next(classifier.parameters()).device
    images = torch.from_numpy(np.ascontiguousarray(split.images[shown])).permute(0, 3, 1, 2).to(device)
    partner = derangement(len(split.labels), seed).numpy()[shown]

    def maps(queries: Queries) -> dict[str, np.ndarray]:
        given = {source: torch.from_numpy(g[shown]).to(device) for source, g in queries.items()}
        with torch.autocast(device.type, enabled=False):
            attn = network(classifier.preprocess(images), given).attn
        return {level: one.float().cpu().numpy() for level, one in attn.items()}

    def names(labels: np.ndarray) -> list[str]:
        return [str(data.class_names[label]) for label in labels]

    own = maps({})
    placements = find_placements(network, (images.shape[2], images.shape[3]))
    pictures = {}
    for level, source in network.queries.items():
        if source is None:
            continue
        place = placements.get(level)
        draw = partial(overlay, placement=place)
        another, zero = (maps({source: replaced[kind][source]})[level] for kind in ("another", "zero"))
        pictures[f"replaced_{level}"] = sheet(
            [
                [
                    Tile(split.images[at], names(split.labels[[at]])[0]),
                    Tile(draw(split.images[at], own[level][row])),
                    Tile(split.images[partner[row]], names(split.labels[partner[[row]]])[0]),
                    Tile(
                        draw(split.images[at], another[row]),
                        f"r {found[f'another {level} correlation'][at]:.3f}",
                    ),
                    Tile(
                        difference(split.images[at], own[level][row], another[row], place),
                        _format_tv(found, "another", level, at),
                    ),
                    Tile(draw(split.images[at], zero[row])),
                    Tile(
                        difference(split.images[at], own[level][row], zero[row], place),
                        _format_tv(found, "zero", level, at),
                    ),
                ]
                for row, at in enumerate(shown.tolist())
            ],
            HEADINGS,
            f"Level {level}: its map under other queries g",
            LEGEND,
        )
    if donors is None:
        return pictures
    side_labels = split.side_labels
    assert side_labels is not None, "has_pairs comes first"
    of_class = {whose: maps(queries) for whose, queries in donors.queries.items()}
    rows = [(row, at) for row, at in enumerate(shown.tolist()) if donors.asked[at]]
    for level in [level for level, source in network.queries.items() if source is not None and rows]:
        main, side = (of_class[whose][level] for whose in ("main", "side"))
        place = placements.get(level)
        draw = partial(overlay, placement=place)
        pictures[f"pairs_{level}"] = sheet(
            [
                [
                    Tile(split.images[at], " and ".join(names(np.array([split.labels[at], side_labels[at]])))),
                    Tile(draw(split.images[at], own[level][row])),
                    *_make_donor_tiles(
                        donors, "main", split, main[row], at, names(split.labels[[at]])[0], found, level, draw
                    ),
                    *_make_donor_tiles(
                        donors, "side", split, side[row], at, names(side_labels[[at]])[0], found, level, draw
                    ),
                    Tile(difference(split.images[at], main[row], side[row], place), "first query to second"),
                ]
                for row, at in rows
            ],
            PAIR_HEADINGS,
            f"Level {level}: its map under queries of the picture's two classes",
            LEGEND,
        )
    return pictures


def _make_donor_tiles(
    donors: Donors,
    whose: str,
    split: Split,
    attn: np.ndarray,
    at: int,
    name: str,
    found: Mapping[str, np.ndarray],
    level: str,
    draw: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[Tile, Tile]:
    """The picture that the query is of, and the map under it."""
    main, side = (found[f"{whose} {level} energy {object_}"][at] for object_ in ("main", "side"))
    on_it, on_other = (main, side) if whose == "main" else (side, main)
    text = f"{100 * on_it:.0f} % on it, {100 * on_other:.0f} % other"
    return Tile(donors.split.images[donors.chosen[whose][at]], name), Tile(draw(split.images[at], attn), text)


def _format_tv(found: Mapping[str, np.ndarray], kind: str, level: str, at: int) -> str:
    moved = 100 * found[f"{kind} {level} tv"][at]
    return f"{moved:.2g} % moved" if moved >= LEAST else f"< {LEAST:g} % moved"
