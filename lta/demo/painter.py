"""What the page shows of teaching, as HTML: the picture that is painted in, and all pictures with their maps."""

from pathlib import Path
from secrets import token_hex

import numpy as np
import torch
from PIL import Image

from lta.apply.direct import DEFAULTS
from lta.apply.sources import make_mask
from lta.demo.course import Course, Painted
from lta.demo.figures import encode_data_url, escape_text
from lta.demo.strokes import BRUSH, ERASER, OUTLINE, TOOLS, render_strokes
from lta.inference.windows import Seen
from lta.runtime.teachers import UNTAUGHT, name_teachers
from lta.teach.files import describe_left_out
from lta.viz.colour import overlay
from lta.viz.outline import draw_outline

PAINTER = "lta-painter"
"""By which the page's scripts find it."""

BRUSHES = Path(__file__).with_name("painter.js").read_text()

COLLECT = (
    f"JSON.stringify([...document.querySelectorAll('#{PAINTER} polyline')].map("
    "(one) => [one.dataset.tool, Number(one.getAttribute('stroke-width')), one.getAttribute('points')]))"
)
"""JavaScript: what is painted, as `lta.demo.strokes.parse_strokes` reads it."""

CHOSEN = f"""element.addEventListener("click", (event) => {{
    const button = event.target.closest("button[data-number]");
    if (button) trigger("click", {{number: Number(button.dataset.number), strokes: {COLLECT}}});
}});"""

SHOWN = 220
"""Pixels of the longer side of a picture with its map."""

NAMES = {BRUSH: "Brush", OUTLINE: "Outline, filled", ERASER: "Eraser"}


def render_painter(course: Course) -> str:
    """Nothing where there is no picture. Never the same twice: the page draws anew only what has changed, and knows nothing
    of the strokes that were painted since."""
    if not course.pictures:
        return ""
    one = course.pictures[course.place]
    width, height = one.size
    tools = "".join(
        f'<button type="button" data-choose="{tool}" aria-pressed="{str(tool == BRUSH).lower()}">{NAMES[tool]}</button>'
        for tool in TOOLS
    )
    back = '<button type="button" data-take="last">Undo stroke</button><button type="button" data-take="all">Clear</button>'
    size = '<label>Size <input type="range" min="1" max="30" value="8"></label>'
    drawing = (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="paint the object in {escape_text(one.name)}">'
        f'<image href="{encode_data_url(one.preview.on_white)}" width="{width}" height="{height}"/>'
        f'<mask id="lta-painted">{render_strokes(one.strokes)}</mask>'
        f'<rect width="{width}" height="{height}" mask="url(#lta-painted)"/></svg>'
    )
    return f'<div class="lta-tools" data-drawn="{token_hex(8)}">{tools}{size}{back}</div>{drawing}'


def render_pictures(course: Course) -> str:
    """Each a button by which it comes to be painted in."""
    tiles = []
    for number, (one, seen) in enumerate(zip(course.pictures, course.list_seen(), strict=True)):
        says = f"{one.name}: painted" if one.strokes else one.name
        tiles.append(
            f'<button type="button" data-number="{number}" aria-pressed="{str(number == course.place).lower()}">'
            f'<img src="{encode_data_url(_draw_map(one, seen))}" alt="">{escape_text(says)}</button>'
        )
    return f'<div class="lta-pupils" role="group" aria-label="your pictures">{"".join(tiles)}</div>' if tiles else ""


def describe_course(course: Course) -> list[str]:
    """What the maps were taught by, and how well masks that were left out are found."""
    if not course.pictures:
        return []
    if course.taught is None:
        return [f"The maps were taught by {UNTAUGHT}. Paint the object in one of your pictures, then teach."]
    first, *more = describe_left_out(course.taught)
    by = name_teachers({"labels": False, "masks": course.taught.masks})
    return [f"The maps were taught by {by}. Masks left out: {'; '.join([first, *more])}."]


def _draw_map(one: Painted, seen: Seen) -> torch.Tensor:
    """The map over the picture, and where it was taught the border of what counts as the object."""
    shrink = SHOWN / max(one.size)
    size = (max(1, round(one.size[0] * shrink)), max(1, round(one.size[1] * shrink)))
    small = Image.fromarray(one.preview.on_white.permute(1, 2, 0).contiguous().numpy()).resize(size)
    (values,) = seen.maps.values()
    drawn = overlay(np.asarray(small), values.numpy(), "bilinear")
    if seen.ends is not None:
        mask = make_mask(seen.maps, one.preview, DEFAULTS, seen.ends).mask
        drawn = draw_outline(drawn, np.asarray(Image.fromarray((mask >= 0.5).numpy()).resize(size)), 2)
    return torch.from_numpy(np.array(drawn)).permute(2, 0, 1)
