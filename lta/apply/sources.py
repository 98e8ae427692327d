"""Where a picture's attention comes from: a trained network, or a mask."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from lta import checks
from lta.effects.attention_mask import HIGH, LOW, fit_mask_to_image, stretch_range, stretch_values
from lta.inference.windows import check_scales, run_at_scales
from lta.measures.pixel_maps import COMBINATIONS, combine
from lta.pictures.grey_range import Range, find_grey_range
from lta.pictures.read import Picture, UnusablePicture, read_image
from lta.protocols import TrainedClassifier
from lta.runtime.teachers import add_teachers

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
    levels = choose_levels(attention["levels"], classifier.network.levels, whose)
    queries, of_query = resolve_query(classifier, levels, attention["query"], whose)

    def compute_attention(picture: Picture) -> Attended:
        seen = run_at_scales(classifier, picture.on_white, attention["scales"], queries)
        share, index = seen.probabilities.max(0)
        mask, said = make_mask(seen.maps, picture, {**attention, "levels": levels}, seen.ends)
        named = f"seen as {classifier.class_names[int(index)]} ({100 * share:.0f} %)"
        by = add_teachers(f"level{'s' * (len(levels) > 1)} {', '.join(levels)}", classifier.hparams.get("taught_by"))
        return Attended(mask, (named, by, *of_query, *said))

    return Source(compute_attention, find_grey_range(classifier.hparams))


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


def from_mask(path: str, attention: Mapping[str, Any]) -> Source:
    """The light of a picture; nothing is attended where it is transparent.

    Raises ValueError where it can't be read, or where a picture has another size.
    """
    refuse_network_settings(attention, f"mask={path}")
    drawn = read_image(path)
    mask = drawn.rgb.float().mean(0) / 255
    if drawn.alpha is not None:
        mask *= drawn.alpha.float() / 255
    said = () if mask.any() else (f"mask={path} is black or transparent everywhere: nothing counts as attended",)

    def compute_attention(picture: Picture) -> Attended:
        if picture.rgb.shape[1:] != mask.shape:
            theirs, ours = (f"{shape[-1]} x {shape[-2]}" for shape in (picture.rgb.shape, mask.shape))
            raise UnusablePicture(f"{picture.path} has {theirs} pixels, mask={path} {ours}")
        return Attended(finish_mask(mask, picture, attention, 0), said)

    return Source(compute_attention)


def choose_levels(asked: Any, there: Sequence[str], whose: str) -> list[str]:
    """One, several, "all", or None for the deepest. Raises ValueError where the network has no maps, or not those."""
    if not there:
        raise ValueError(f"{whose} has a network without attention maps")
    named = {None: [there[-1]], "all": list(there)}
    levels = named[asked] if asked is None or asked == "all" else [asked] if isinstance(asked, str) else list(asked)
    for level in levels:
        checks.require_choice("attention.levels", level, there)
    if not levels:
        raise ValueError(f"attention.levels=[] names none; choose of {', '.join(there)}")
    return levels


def refuse_network_settings(attention: Mapping[str, Any], source: str) -> None:
    """Raises ValueError where something is asked for that only a network of lta has."""
    for key in ("levels", "query"):
        if attention[key] is not None:
            raise ValueError(f"attention.{key}={attention[key]} is of a network that attends; {source} is none")


def finish_mask(mask: Tensor, picture: Picture, attention: Mapping[str, Any], edges: float) -> Float[Tensor, "height width"]:
    """`mask` at the picture's own size, with the borders asked for (`edges` where nothing is), inverted if it is wanted."""
    checks.require_flag("attention.invert", attention["invert"])
    asked = attention["edges"]
    mask = fit_mask_to_image(mask, picture.on_white, edges if asked is None else asked, attention["feather"])
    return 1 - mask if attention["invert"] else mask
