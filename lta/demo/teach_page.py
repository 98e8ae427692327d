"""The part of the page on which a map is taught with a brush."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from lta.demo.examples import Example
from lta.demo.painter import BRUSHES, CHOSEN, COLLECT, PAINTER
from lta.demo.teach_handlers import TeachHandlers
from lta.demo.widgets import FETCH, make_gallery, make_html, make_image_field

INTRODUCTION = (
    "Paint the object in one of your pictures, press Teach, and see the map on the others. Where it fails, choose that "
    "picture, paint there too, and teach again. No classes are needed."
)
NEXT = (
    "The file is a network for <code>lta apply</code>, <code>lta predict</code>, <code>lta evaluate</code>, "
    "<code>lta export</code> and <code>lta demo</code>: <code>lta apply checkpoint=my_object.ckpt images=photo.jpg "
    "effect=autoblur</code>"
)


def add_teaching(handlers: TeachHandlers, examples: Sequence[tuple[Example, Path]], limits: dict[str, Any]) -> None:
    """Into the tab that is open. `limits`: how events that fill the memory are called."""
    make_html(f"<p>{INTRODUCTION}</p>")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            file = make_image_field("Your pictures", several=True)
            gallery = make_gallery("Examples", examples, CHOSEN)
        with gr.Column(scale=5, min_width=300):
            painter = gr.HTML(js_on_load=BRUSHES, elem_id=PAINTER)
            with gr.Row():
                teach = gr.Button("Teach", variant="primary")
                back = gr.Button("Undo the last teaching", interactive=False)
                save = gr.Button("Download the network", interactive=False)
            said = make_html(name="lta-said")
            pictures = gr.HTML(js_on_load=CHOSEN)
            make_html(f'<p class="lta-about">{NEXT}</p>')
    strokes = gr.Textbox(visible="hidden")
    made = gr.DownloadButton(visible="hidden")
    shown = [painter, pictures, said, back, save]
    file.upload(handlers.upload, [file, strokes], [file, *shown], js=f"(files) => [files, {COLLECT}]", **limits)
    gallery.click(handlers.add_example, None, shown, **limits)
    pictures.click(handlers.choose, None, shown, **limits)
    teach.click(handlers.teach, strokes, shown, js=f"() => [{COLLECT}]", **limits)
    back.click(handlers.take_back, strokes, shown, js=f"() => [{COLLECT}]", **limits)
    written = save.click(handlers.save, None, made, **limits)
    written.success(None, made, None, js=FETCH, show_progress="hidden", api_visibility="private")
