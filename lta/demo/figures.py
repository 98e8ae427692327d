"""What the page shows of pictures and networks, as HTML: pictures are in it, so that no file is written for them."""

import html
from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from lta.demo.examples import Example
from lta.demo.networks import Network
from lta.demo.visits import Given
from lta.inference.windows import Seen
from lta.pictures.read import Picture
from lta.viz.colour import overlay

LIKELIEST = 3
THUMBNAIL = 96  # pixels
CONSTANT = 1.001
"""Of a map whose mean is 1, the highest value up to which it prefers nothing that could be seen."""


def escape_text(said: Any) -> str:
    """As text in HTML, also where the page takes ${...} and {{...}} for its own."""
    return html.escape(str(said)).translate({ord(sign): f"&#{ord(sign)};" for sign in "${}`"})


def render_image(pixels: UInt8[Tensor, "channels rows columns"], alternative: str, caption: str = "", name: str = "") -> str:
    """A figure; with four channels transparent."""
    below = f"<figcaption>{escape_text(caption)}</figcaption>" if caption else ""
    size = f'width="{pixels.shape[2]}" height="{pixels.shape[1]}"'
    shown = f'<img src="{encode_data_url(pixels)}" {size} alt="{escape_text(alternative)}">'
    return f'<figure class="lta-{name or "picture"}">{shown}{below}</figure>'


def render_result(pixels: UInt8[Tensor, "channels rows columns"], alternative: str, size: tuple[int, int]) -> str:
    """The figure of an effect; where it has the `size` (width, height) of what it was made from, the picture before lies
    over it, as far as the page's slider draws it."""
    shown = f'<img src="{encode_data_url(pixels)}" width="{pixels.shape[2]}" height="{pixels.shape[1]}"'
    alike = (pixels.shape[2], pixels.shape[1]) == size
    before = '<span class="lta-before" aria-hidden="true"></span>' if alike else ""
    place = f"--lta-ratio: {pixels.shape[2] / pixels.shape[1]:.4f}; --lta-width: {pixels.shape[2]}px"  # see page.css
    frame = f'<div class="lta-frame" style="{place}">{shown} alt="{escape_text(alternative)}">{before}</div>'
    return f'<figure class="lta-result">{frame}</figure>'


def render_effects(made: Mapping[str, UInt8[Tensor, "channels rows columns"] | ValueError]) -> str:
    """All effects at a glance: each a button that chooses it, or why it can't be made."""
    tiles = []
    for number, (name, pixels) in enumerate(made.items()):
        if isinstance(pixels, ValueError):
            tiles.append(f"<div>{render_problem(f'{name}: {pixels}')}</div>")
            continue
        image = f'<img src="{encode_data_url(pixels)}" width="{pixels.shape[2]}" height="{pixels.shape[1]}" alt="">'
        tiles.append(f'<button type="button" data-number="{number}">{image}{escape_text(name)}</button>')
    return f'<div class="lta-effects" role="group" aria-label="all effects">{"".join(tiles)}</div>'


def render_input(one: Given, small: bool = False) -> str:
    """The picture as it was given, with its name, its size and what was decided for it."""
    pixels = one.preview.rgb if one.preview.alpha is None else _stack_alpha(one.preview)
    caption = "; ".join([f"{one.name}, {one.size[0]} x {one.size[1]} pixels", *one.preview.notes])
    figure = render_image(pixels, f"the picture {one.name}", caption, "other" if small else "given")
    if small:
        return figure
    return f'{figure}<style>:root {{ --lta-before: url("{encode_data_url(pixels)}"); }}</style>'  # see `render_result`


def render_gallery(label: str, examples: Sequence[tuple[Example, Path]]) -> str:
    """HTML of a button with a thumbnail for each example."""
    buttons = []
    for number, (example, file) in enumerate(examples):
        with Image.open(file) as image:
            small = _to_tensor(np.asarray(ImageOps.fit(image.convert("RGB"), (THUMBNAIL, THUMBNAIL))))
        name = escape_text(example.name)
        buttons.append(
            f'<button type="button" data-number="{number}" title="{escape_text(example.source)}">'
            f'<img src="{encode_data_url(small)}" width="{THUMBNAIL}" height="{THUMBNAIL}" alt="">{name}</button>'
        )
    name = escape_text(label)
    return f'<div class="lta-gallery" role="group" aria-label="{name}"><p>{name}</p>{"".join(buttons)}</div>'


def render_prediction(network: Network, seen: Seen) -> str:
    """The likeliest classes with their probabilities, as a list with bars."""
    shares, indices = seen.probabilities.sort(descending=True)
    rows = "".join(
        f'<li><span>{escape_text(network.classifier.class_names[index])}</span><span class="lta-bar" aria-hidden="true">'
        f'<span style="width:{100 * share:.1f}%"></span></span><span>{100 * share:.0f} %</span></li>'
        for share, index in zip(shares[:LIKELIEST].tolist(), indices[:LIKELIEST].tolist(), strict=True)
    )
    return f'<ol class="lta-prediction" aria-label="likeliest classes">{rows}</ol>'


def render_maps(one: Given, seen: Seen) -> str:
    """The map of every level over the picture."""
    small = np.asarray(
        Image.fromarray(one.preview.on_white.permute(1, 2, 0).contiguous().numpy()).resize(_read_map_size(seen))
    )
    drawn = []
    for level, values in seen.maps.items():
        highest = float(values.max())
        said = f"up to {highest:.1f} x uniform" if highest > CONSTANT else "uniform: it prefers nothing"
        coloured = _to_tensor(overlay(small, values.numpy(), "nearest"))
        drawn.append(render_image(coloured, f"attention map of level {level}: {said}", f"{level}: {said}", "map"))
    return f'<div class="lta-maps">{"".join(drawn)}</div>'


def render_output(network: Network, one: Given, by: Seen, asked: str) -> str:
    """What a network took the picture for, and where it looked; `asked` says with which query, "" for its own."""
    said = f'<p class="lta-about">{escape_text(asked)}</p>' if asked else ""
    predicted = "" if network.is_untaught else render_prediction(network, by)  # it knows no classes
    return f'{said}<div class="lta-seen">{predicted}{render_maps(one, by)}</div>'


def render_notes(said: Sequence[str]) -> str:
    """HTML of a paragraph for each note."""
    return "".join(f"<p>{escape_text(one)}</p>" for one in said)


def render_problem(said: Any) -> str:
    """HTML of an error message."""
    return f'<p class="lta-problem" role="alert">{escape_text(said)}</p>'


def render_heading(network: Network) -> str:
    """HTML of a network's name and what it is."""
    return f'<h2 class="lta-network">{escape_text(network.name)}</h2>'


def render_about(network: Network) -> str:
    """HTML of what a network is."""
    return f'<p class="lta-about">{escape_text(network.about)}</p>'


def encode_data_url(pixels: UInt8[Tensor, "channels rows columns"]) -> str:
    """A JPEG, or with transparency a WebP, as the address of a picture in a page."""
    image = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    stream = BytesIO()
    if image.mode == "RGBA":
        image.save(stream, "WEBP", quality=90, method=0)
    else:
        image.save(stream, "JPEG", quality=90)
    return f"data:image/{'webp' if image.mode == 'RGBA' else 'jpeg'};base64,{b64encode(stream.getvalue()).decode()}"


def _stack_alpha(shown: Picture) -> Tensor:
    assert shown.alpha is not None
    return _to_tensor(np.dstack([shown.rgb.permute(1, 2, 0).numpy(), shown.alpha.numpy()]))


def _read_map_size(seen: Seen) -> tuple[int, int]:
    rows, columns = next(iter(seen.maps.values())).shape
    return columns, rows


def _to_tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)
