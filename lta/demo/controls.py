"""Which values of an effect and of attention can be moved on the page, between which ends, under which name."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lta.apply.levels import FEWEST, choose_levels
from lta.apply.sources import EDGES
from lta.effects.blurout import HOW
from lta.effects.lens import LARGEST
from lta.measures.pixel_maps import COMBINATIONS
from lta.viz.colour import COLOURS

AS_IT_IS = "as the picture"


class Number(NamedTuple):
    """A slider from `low` to `high`."""

    label: str
    low: float
    high: float
    step: float
    info: str = ""


class Choice(NamedTuple):
    """With `free`, another word may be given."""

    label: str
    choices: tuple[str, ...]
    info: str = ""
    free: bool = False


class Several(NamedTuple):
    """Any number of the choices."""

    label: str
    choices: tuple[str, ...]
    info: str = ""


class Switch(NamedTuple):
    """On or off."""

    label: str
    info: str = ""


class Colour(NamedTuple):
    """A colour."""

    label: str


Control = Number | Choice | Several | Switch | Colour

OF_EFFECTS: dict[str, Control] = {
    "strength": Number("Strength", 0, 1, 0.01),
    "radius": Number("Radius", 0.005, LARGEST, 0.005, "a share of the shorter side"),
    "how": Choice("How", HOW, "blur, pixelate: do not anonymise; fill: leaves nothing where attention is half or more"),
    "colour": Colour("Colour"),
    "colours": Choice("Colours", COLOURS),
    "aspect": Choice("Aspect ratio", (AS_IT_IS, "1:1", "4:3", "3:2", "16:9", "3:4", "9:16"), "width:height", free=True),
    "keep": Number("Attention to keep", 0, 1, 0.01, "of what the largest part could hold"),
}
"""By keyword of the functions in lta/effects; each means the same in all of them."""


def make_attention_controls(levels: Sequence[str]) -> dict[str, Control]:
    """By key of `attention` in conf/demo.yaml."""
    return {
        "levels": Several("Levels", tuple(levels), f"shallow to deep; none: the deepest of at least {FEWEST} cells a side"),
        "combine": Choice("Several levels together", tuple(COMBINATIONS)),
        "low": Number("Nothing up to", 0, 1, 0.01, "the quantile of the map below which nothing is attended"),
        "high": Number("All from", 0, 1, 0.01, "the quantile from which on everything is"),
        "edges": Number("Follow the picture's edges", 0, 0.33, 0.01, "how far borders may move, of the shorter side"),
        "feather": Number("Feather", 0, 0.33, 0.01, "how soft borders are, of the shorter side"),
        "invert": Switch("Invert", "what is not attended takes its place"),
    }


def to_control_value(key: str, value: Any, choices: Sequence[str] = ()) -> Any:
    """A setting as its control holds it."""
    if key == "aspect":
        return AS_IT_IS if value is None else value
    if key == "colour":
        return "#" + "".join(f"{part:02x}" for part in value)
    if key == "edges":
        return EDGES if value is None else value
    if key == "levels":
        return choose_levels(value, tuple(choices), "this network")
    return value


def to_setting_value(key: str, value: Any) -> Any:
    """What a control holds as the setting. Raises ValueError where a colour is none."""
    if key == "aspect":
        return None if value in (None, "", AS_IT_IS) else value
    return _parse_colour(value) if key == "colour" else value


def find_idle_keys(values: Mapping[str, Any]) -> set[str]:
    """Of an effect's keywords, those that change nothing with these values."""
    if "how" not in values:
        return set()
    return {"radius"} if values["how"] == "fill" else {"colour"}


def _parse_colour(text: Any) -> list[int]:
    """Browsers' colour fields give #rrggbb, Gradio's rgb(...) or rgba(...), with fractions."""
    if found := re.fullmatch(r"#([0-9a-f]{6})(?:[0-9a-f]{2})?", str(text), re.IGNORECASE):
        return list(bytes.fromhex(found[1]))
    number = r"(\d+(?:\.\d+)?)"
    parts = re.fullmatch(rf"rgba?\({number}, *{number}, *{number}(?:, *[\d.]+)?\)", str(text))
    if not parts:
        raise ValueError(f"colour={text} must be a colour, for example #808080")
    return [min(255, round(float(part))) for part in parts.groups()]
