"""Controls as parts of the page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from lta.demo import figures
from lta.demo.controls import Choice, Colour, Control, Number, Several, Switch
from lta.demo.examples import Example

PRESSED = """element.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-number]");
    if (button) trigger("click", {number: Number(button.dataset.number)});
});"""


FETCH = """(file) => {
    if (!file) return;
    const link = document.createElement("a");
    link.href = file.url;
    link.download = file.orig_name;
    link.click();
}"""
"""JavaScript: downloads the file that an event has made."""


def make_widget(control: Control, value: Any, visible: bool = True) -> Any:
    """Gradio's widget for a control of `lta.demo.controls`, with its first value."""
    shared = {"label": control.label, "value": value, "interactive": True, "visible": visible}
    if isinstance(control, Colour):
        return gr.ColorPicker(**shared)
    shared["info"] = control.info or None
    if isinstance(control, Number):
        return gr.Slider(control.low, control.high, step=control.step, **shared)
    if isinstance(control, Several):
        return gr.CheckboxGroup(list(control.choices), **shared)
    if isinstance(control, Switch):
        return gr.Checkbox(**shared)
    assert isinstance(control, Choice)
    if control.free:
        return gr.Dropdown(list(control.choices), allow_custom_value=True, **shared)
    return gr.Radio(list(control.choices), **shared)


def make_image_field(label: str, several: bool = False) -> Any:
    """Takes any file: what is a picture is found out by lta.pictures, which knows more formats than browsers do."""
    return gr.File(label=label, file_count="multiple" if several else "single", height=130)


def make_gallery(label: str, examples: Sequence[tuple[Example, Path]], pressed: str = PRESSED) -> Any:
    """Thumbnails, each a button; the event of a click has its place as `number`. `pressed`: JavaScript that triggers it."""
    return gr.HTML(figures.render_gallery(label, examples), js_on_load=pressed, visible=bool(examples))


COMPARED = """element.addEventListener("input", (event) => {
    event.target.closest(".lta-view").style.setProperty("--lta-cut", event.target.value + "%");
});"""


def make_comparison() -> Any:
    """A slider that draws the picture before over the result, from the left; it is in a column of the class lta-view."""
    label = '<label class="lta-compare">Before and after <input type="range" min="0" max="100" value="0"></label>'
    return gr.HTML(label, js_on_load=COMPARED, padding=False)


def make_html(content: str = "", name: str | None = None, padding: bool = True) -> Any:
    """`name` is a CSS class."""
    return gr.HTML(content, js_on_load=None, elem_classes=name, padding=padding)
