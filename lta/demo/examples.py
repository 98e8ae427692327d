"""Photographs to begin with: those of scikit-image's wheel that nobody has rights in."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple


class Example(NamedTuple):
    """`file` in scikit-image's folder of data; `source` as its documentation gives it."""

    name: str
    file: str
    source: str


EXAMPLES = (
    Example("astronaut", "astronaut.png", "NASA, public domain"),
    Example("cat", "chelsea.png", "Stefan van der Walt, CC0"),
    Example("rocket", "rocket.jpg", "SpaceX, public domain"),
    Example("coffee", "coffee.png", "Rachel Michetti, CC0"),
    Example("camera", "camera.png", "Lav Varshney, CC0"),
    Example("horse", "horse.png", "Andreas Preuss, CC0"),
    Example("clock", "clock_motion.png", "Stefan van der Walt, public domain"),
    Example("galaxies", "hubble_deep_field.jpg", "NASA, public domain"),
)
"""Of the wheel's pictures (the others would be downloaded), those that are CC0 or in the public domain and show something.
Left out are those with "no known restrictions", or of which nothing is said: coins, moon, page, text and others."""


def list_examples() -> list[tuple[Example, Path]]:
    """Those that the installed version has, with their files."""
    found = find_spec("skimage")
    if found is None or found.origin is None:
        return []
    folder = Path(found.origin).parent / "data"
    return [(example, folder / example.file) for example in EXAMPLES if (folder / example.file).is_file()]
