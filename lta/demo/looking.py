"""What the page computes: pictures seen by networks, effects on them, and the file of a result."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor

from lta.apply.files import choose_metadata
from lta.apply.levels import choose_levels, describe_choice
from lta.apply.masks import EMPTY, measure_light
from lta.apply.segmentation import EDGES as FINE_EDGES
from lta.apply.segmentation import Segmenter, describe_found
from lta.apply.sources import EDGES, Attended, finish_mask, make_mask
from lta.demo.limits import Limits, decode_image, make_preview
from lta.demo.networks import Network, merge_levels
from lta.demo.visits import Drawn, Given, Visit
from lta.effects.attention_mask import HIGH, LOW
from lta.effects.blurout import warn_of_hiding
from lta.effects.transparency import apply_effect, check, choose_suffix
from lta.inference.windows import Seen, check_scales, run_at_scales
from lta.pictures.find import name_out
from lta.pictures.read import Picture, UnusablePicture
from lta.pictures.write import write_image

OWN, OTHER = "this picture", "the other picture"
"""Whose query the networks are asked with."""

NETWORK, MASK, SEGMENTATION = "network", "mask file", "segmentation"
"""Where the map comes from."""

GLANCE = 60_000
"""Pixels of a picture, of all effects at a glance."""


class Asked(NamedTuple):
    """`effect` by name with its `values`, `attention` as in conf/demo.yaml, `query`: OWN or OTHER. `source`: NETWORK, MASK
    or SEGMENTATION, which looks for the class `segment`."""

    effect: str
    values: Mapping[str, Any]
    attention: Mapping[str, Any]
    query: str = OWN
    source: str = NETWORK
    segment: str = ""


class Workshop(NamedTuple):
    """What all pages share. `scales` as in `lta.inference.windows.run_at_scales`; results' files are written below `folder`.
    `segmenter`: None where its weights are not here."""

    networks: tuple[Network, ...]
    effects: Mapping[str, partial]
    scales: Sequence[int] | None
    most: Limits
    folder: Path
    segmenter: Segmenter | None = None

    def check(self, attention: Mapping[str, Any]) -> None:
        """Raises ValueError where what the page begins with can't be, tried on a picture of nothing."""
        if self.scales is not None:
            check_scales("attention.scales", self.scales)
        choose_levels(attention["levels"], merge_levels(self.networks), "this network")
        nothing = Picture(None, torch.zeros(3, 8, 8, dtype=torch.uint8), None, None, "PNG", ())
        make_mask({"": torch.ones(8, 8)}, nothing, {**attention, "levels": None})
        check(self.effects)

    def analyse_image(self, name: str, content: bytes) -> Given:
        """Raises UnusablePicture where it is no picture, or too large a one."""
        ranges = dict.fromkeys(network.grey_range for network in self.networks)
        decoded = {grey_range: decode_image(name, content, self.most, grey_range) for grey_range in ranges}
        seen = tuple(
            run_at_scales(network.classifier, decoded[network.grey_range].on_white, self.scales) for network in self.networks
        )
        picture = decoded[self.networks[0].grey_range]
        height, width = picture.rgb.shape[1:]
        return Given(name, content, make_preview(picture), (width, height), seen)

    def swap_query(self, given: Given, other: Given) -> tuple[Seen | None, ...]:
        """What each network sees in `given` with the query of `other`."""
        if not any(network.acting for network in self.networks):
            return ()
        return tuple(
            run_at_scales(network.classifier, self._decode(given, network).on_white, self.scales, seen.queries)
            if network.acting
            else None
            for network, seen in zip(self.networks, other.seen, strict=True)
        )

    def render_effect(
        self, visit: Visit, number: int, asked: Asked
    ) -> tuple[UInt8[Tensor, "channels rows columns"], tuple[str, ...]]:
        """The effect on the preview, by the attention of one of the networks, and what is to be said of it.

        While an effect's values are moved the last mask is taken again. Raises ValueError where a value can't be.
        """
        seen, given = self.find_map(visit, number, asked), visit.given
        assert given is not None, "there is a picture"
        kept = visit.masks.get(number)
        if kept is None or kept[0][0] is not seen or kept[0][1] != asked.attention:
            kept = (seen, dict(asked.attention)), self._make_mask(number, seen, given.preview, asked)
            visit.masks[number] = kept
        pixels = self._apply_effect(given.preview, kept[1], asked)
        return pixels, (*kept[1].said, *warn_of_hiding(self.effects[asked.effect], asked.values))

    def render_all_effects(
        self, visit: Visit, number: int, asked: Asked, values: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, UInt8[Tensor, "channels rows columns"] | ValueError]:
        """Each effect with its `values` on a small picture, or why it can't be made. Raises ValueError where there is no
        map."""
        seen = self.find_map(visit, number, asked)
        assert visit.given is not None, "there is a picture"
        small = make_preview(visit.given.preview, GLANCE)
        attended = self._make_mask(number, seen, small, asked)
        made = {}
        for effect in self.effects:
            try:
                made[effect] = self._apply_effect(small, attended, asked._replace(effect=effect, values=values[effect]))
            except ValueError as error:
                made[effect] = error
        return made

    def read_mask(self, given: Given, name: str, content: bytes) -> Drawn:
        """A mask of the picture, from a file. Raises UnusablePicture where it is none, or of another size."""
        light = measure_light(decode_image(name, content, self.most))
        height, width = light.shape
        if (width, height) != given.size:
            sizes = f"{width} x {height} pixels, and {given.name} {given.size[0]} x {given.size[1]}"
            raise UnusablePicture(f"{name} has {sizes}: a mask must have the size of its picture")
        return Drawn(light, 0.0, (f"The map is the mask {name}.",) if light.any() else (f"{name} {EMPTY}.",))

    def find_map(self, visit: Visit, number: int, asked: Asked) -> Seen | Drawn:
        """What the mask is made of. Raises ValueError where it is not there."""
        assert visit.given is not None, "there is a picture"
        if asked.source == NETWORK:
            return select_seen(visit, number, asked.query)
        if asked.source == MASK:
            if visit.drawn is None:
                raise ValueError(f"give a mask of {visit.given.name}: a picture of its size, white where it counts")
            return visit.drawn
        if self.segmenter is None:
            raise ValueError("the weights of the segmentation are not on this computer")
        if asked.segment not in visit.segments:
            likely = self.segmenter.find(asked.segment, self._decode(visit.given, self.networks[number]))
            visit.segments[asked.segment] = Drawn(likely, FINE_EDGES, (f"{describe_found(asked.segment, likely)}.",))
        return visit.segments[asked.segment]

    def _decode(self, given: Given, network: Network) -> Picture:
        return decode_image(given.name, given.content, self.most, network.grey_range)

    def save(self, given: Given, seen: Seen | Drawn, number: int, asked: Asked) -> Path:
        """The effect on all of the picture's pixels, in a file named as lta.apply names it, in a folder of its own."""
        picture = self._decode(given, self.networks[number])
        pixels = self._apply_effect(picture, self._make_mask(number, seen, picture, asked), asked)
        suffix = choose_suffix(self.effects[asked.effect])
        (file,) = name_out(self.folder / token_hex(16), [Path(given.name)], asked.effect, suffix)
        write_image(file, pixels, choose_metadata(picture, self.effects[asked.effect], "keep"))
        return file

    def _make_mask(self, number: int, seen: Seen | Drawn, picture: Picture, asked: Asked) -> Attended:
        if isinstance(seen, Drawn):
            untouched = asked.attention["edges"] == EDGES
            edges = {**asked.attention, "edges": seen.edges if untouched else asked.attention["edges"]}
            return Attended(finish_mask(seen.values, picture, edges, seen.edges), seen.said)
        network, chosen = self.networks[number], asked.attention["levels"]
        levels = [level for level in chosen if level in seen.maps] if chosen else [network.best_level]
        if not levels:
            raise ValueError(f"choose a level: {network.name} has {', '.join(network.levels)}")
        attention = {**asked.attention, "levels": levels}
        if (attention["low"], attention["high"]) == (LOW, HIGH):  # left as they were
            attention |= {"low": None, "high": None}
        mask, said = make_mask(seen.maps, picture, attention, seen.ends)
        if chosen or len(network.levels) < 2:
            return Attended(mask, said)
        return Attended(mask, (f"By {describe_choice(None, levels, network.levels, network.cells)}.", *said))

    def _apply_effect(self, picture: Picture, attended: Attended, asked: Asked) -> UInt8[Tensor, "channels rows columns"]:
        effect = self.effects[asked.effect]
        return apply_effect(partial(effect, **asked.values), picture.rgb, attended.mask, picture.alpha)


def select_seen(visit: Visit, number: int, query: str) -> Seen:
    """By one of the networks, with its own query or, where that was asked for and changes anything, the other picture's."""
    swapped = visit.swapped[number] if query == OTHER and visit.swapped else None
    assert visit.given is not None, "there is a picture"
    return visit.given.seen[number] if swapped is None else swapped
