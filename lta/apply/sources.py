"""Where a picture's attention comes from, and that of a trained network (masks: `lta.apply.masks`)."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lta import checks
from lta.apply.levels import choose_levels, count_cells, describe_choice
from lta.effects.attention_mask import HIGH, LOW, fit_mask_to_image, stretch_range, stretch_values
from lta.inference.windows import check_scales, run_at_scales
from lta.measures.pixel_maps import COMBINATIONS, combine
from lta.pictures.grey_range import Range, find_grey_range
from lta.pictures.read import Picture
from lta.protocols import TrainedClassifier
from lta.runtime.teachers import NOTHING_TRAINED, add_teachers, is_untaught

EDGES = 0.05
"""Of a network's maps, whose cells are that large and larger."""


class Attended(NamedTuple):
    """How much each pixel is attended, 0 to 1, and what is to be said of it."""

    mask: Float[Tensor, "height width"]
    said: tuple[str, ...]


class Source(NamedTuple):
    """`attend` says where a picture is attended; `grey_range`, in which range 16-bit grey is to be read for that."""

    attend: Callable[[Picture], Attended]
    grey_range: Range | None = None


def from_network(checkpoint: str, which: str, device: torch.device, attention: Mapping[str, Any]) -> Source:
    """The maps of a trained network, see `from_classifier`."""
    # Imported here: a mask needs no network.
    from lta.inference.checkpoint import load

    _check_scales(attention["scales"])
    return from_classifier(load(checkpoint, which).to(device), attention, f"checkpoint={checkpoint}")


def from_classifier(classifier: TrainedClassifier, attention: Mapping[str, Any], whose: str) -> Source:
    """Maps as `lta.inference.windows.run_at_scales` has them; `whose` names the network in messages.

    Raises ValueError where it makes no maps, none of the levels asked for, or none that takes notice of a query asked for.
    """
    from lta.inference.query import resolve_query

    _check_scales(attention["scales"])
    there, cells = classifier.network.levels, count_cells(classifier)
    levels = choose_levels(attention["levels"], there, whose, cells)
    chosen = describe_choice(attention["levels"], levels, there, cells)
    taught = classifier.hparams.get("taught_by")
    queries, of_query = resolve_query(classifier, levels, attention["query"], whose)

    def compute_attention(picture: Picture) -> Attended:
        seen = run_at_scales(classifier, picture.on_white, attention["scales"], queries)
        share, index = seen.probabilities.max(0)
        mask, said = make_mask(seen.maps, picture, {**attention, "levels": levels}, seen.ends)
        if is_untaught(taught):
            return Attended(mask, (name_length(classifier), *said))
        named = f"seen as {classifier.class_names[int(index)]} ({100 * share:.0f} %)"
        return Attended(mask, (named, add_teachers(chosen, taught), *of_query, *said))

    return Source(compute_attention, find_grey_range(classifier.hparams))


def from_backbone(name: str | None, device: torch.device, attention: Mapping[str, Any]) -> Source:
    """The length of the features of a backbone of timm (None: of the packaged one), which nobody has taught anything.

    Raises ValueError where it, or its weights, can't be had, and for a level or query.
    """
    # Imported here: a mask needs no network.
    from lta.inference.untaught import BACKBONE, UntaughtClassifier

    _check_scales(attention["scales"])
    name = name or BACKBONE
    refuse_network_settings(attention, f"backbone={name}")
    try:
        classifier = UntaughtClassifier(name)
    except ValueError as error:  # it is called by another name where networks are trained
        raise ValueError(str(error).replace("model.backbone.name=", "backbone=")) from error
    return from_classifier(classifier.to(device), attention, f"backbone={name}")


def name_length(classifier: TrainedClassifier) -> str:
    """What an untaught network's map is."""
    return f"{NOTHING_TRAINED} ({getattr(getattr(classifier.network, 'trunk', None), 'name', 'a backbone')})"


def _check_scales(scales: Any) -> None:
    if scales is not None:
        check_scales("attention.scales", scales)


def make_mask(
    maps: Mapping[str, Float[Tensor, "rows columns"]],
    picture: Picture,
    attention: Mapping[str, Any],
    ends: tuple[float, float] | None = None,
) -> Attended:
    """`maps` and `ends` as `Seen` has them; of `attention`, the keys of conf/apply.yaml, `scales` and `query` are not read.
    `low` and `high` None: what the masks taught where they did (`ends`), else LOW and HIGH."""
    checks.require_choice("attention.combine", attention["combine"], COMBINATIONS)
    levels = choose_levels(attention["levels"], tuple(maps), "this network")
    chosen = [maps[level][None] for level in levels]
    together = chosen[0] if len(chosen) == 1 else combine(chosen, attention["combine"])
    low, high = attention["low"], attention["high"]
    if ends is not None and low is None and high is None:
        mask, prefers = stretch_range(together[0], ends)
    else:
        mask, prefers = stretch_values(together[0], LOW if low is None else low, HIGH if high is None else high)
    said = () if prefers else ("the map prefers nothing: all of the picture counts as attended",)
    return Attended(finish_mask(mask, picture, attention, EDGES), said)


def refuse_network_settings(attention: Mapping[str, Any], source: str) -> None:
    """Raises ValueError where something is asked for that only a network of lta has."""
    for key in ("levels", "query"):
        if attention[key] is not None:
            raise ValueError(
                f"attention.{key}={attention[key]} needs a network with attention (checkpoint=RUN), but {source} is not one"
            )


def finish_mask(mask: Tensor, picture: Picture, attention: Mapping[str, Any], edges: float) -> Float[Tensor, "height width"]:
    """`mask` at the picture's own size, with the borders asked for (`edges` where nothing is), inverted if it is wanted."""
    checks.require_flag("attention.invert", attention["invert"])
    asked = attention["edges"]
    mask = fit_mask_to_image(mask, picture.on_white, edges if asked is None else asked, attention["feather"])
    return 1 - mask if attention["invert"] else mask
