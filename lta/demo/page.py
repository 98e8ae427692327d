"""The page: its parts, and which of them call which handler."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from lta.demo import controls, examples, figures
from lta.demo.course import School
from lta.demo.handlers import Handlers, hide_idle_controls, leave_mask, show_only_chosen
from lta.demo.looking import MASK, NETWORK, OTHER, OWN, SEGMENTATION, Workshop
from lta.demo.networks import choose_start_levels, merge_levels
from lta.demo.teach_handlers import TeachHandlers
from lta.demo.teach_page import add_teaching
from lta.demo.visits import Visits
from lta.demo.widgets import (
    FETCH,
    PRESSED,
    make_comparison,
    make_gallery,
    make_html,
    make_image_field,
    make_widget,
)

INTRODUCTION = (
    "What a network attends to in a picture, and what can be made of it. "
    "Pictures stay on the computer that serves this page."
)
NO_SEGMENTATION = "segmentation of people and things is offered too where torchvision's weights are on the computer"
WAITING = 64
"""Events of all pages that may wait; a page has one of each kind."""

PRIVATE: dict[str, Any] = {"show_progress": "minimal", "api_visibility": "private"}
WHOLE: dict[str, Any] = {**PRIVATE, "concurrency_id": "whole pictures", "concurrency_limit": 1}
"""Whole pictures fill the memory: one by one."""


class Page:
    """`blocks` is the page; its controls begin with the effects' own keywords and `attention` (of conf/demo.yaml). `school`:
    what maps are taught with."""

    def __init__(self, workshop: Workshop, visits: Visits, attention: Mapping[str, Any], school: School):
        self.workshop, self.networks = workshop, workshop.networks
        self.examples = examples.list_examples()
        kept = {"analytics_enabled": False, "delete_cache": (60, 600)}
        with gr.Blocks(title="lta: learn to pay attention", fill_width=True, **kept) as self.blocks:
            make_html(f"<h1>Learn to pay attention</h1><p>{INTRODUCTION}</p>")
            files = [file for _, file in self.examples]
            with gr.Tabs():
                with gr.Tab("Look"), gr.Row():
                    with gr.Column(scale=2, min_width=300, elem_id="lta-left"):
                        with gr.Column(elem_id="lta-input"):
                            self._add_input()
                        with gr.Column(elem_id="lta-controls"):
                            self._add_effects()
                            self._add_source()
                            self._add_attention(attention)
                            self._add_query()
                    with gr.Column(scale=5, min_width=300, elem_id="lta-views"):
                        numbers = range(len(self.networks))
                        with gr.Row(elem_id="lta-results"):
                            self.views = [self._add_result(number) for number in numbers]
                        with gr.Row(elem_id="lta-more"):
                            for number in numbers:
                                self._add_more(number)
                with gr.Tab("Teach"):
                    add_teaching(TeachHandlers(school, visits, files), self.examples, WHOLE)
            keys = {name: tuple(values) for name, values in self.values.items()}
            self._wire(Handlers(workshop, visits, keys, tuple(self.attention), files))
        self.blocks.queue(max_size=WAITING, default_concurrency_limit=2)

    def _add_input(self) -> None:
        self.file = make_image_field("Picture")
        self.given = make_html()
        self.gallery = make_gallery("Examples", self.examples)

    def _add_effects(self) -> None:
        first, *_ = self.workshop.effects
        self.boxes, self.values = {}, {}
        with gr.Group():
            self.effect = gr.Radio(list(self.workshop.effects), value=first, label="Effect")
            for name, effect in self.workshop.effects.items():
                idle = controls.find_idle_keys(effect.keywords)
                with gr.Column(visible=name == first) as self.boxes[name]:
                    self.values[name] = {
                        key: make_widget(
                            controls.OF_EFFECTS[key], controls.to_control_value(key, value), visible=key not in idle
                        )
                        for key, value in effect.keywords.items()
                    }

    def _add_source(self) -> None:
        segmenter = self.workshop.segmenter
        sources = [NETWORK, MASK] + [SEGMENTATION] * (segmenter is not None)
        names = [] if segmenter is None else list(segmenter.names)
        first = "person" if "person" in names else next(iter(names), "")
        with gr.Accordion("Where the map comes from", open=False):
            self.source = gr.Radio(sources, value=NETWORK, label="Map from", info=None if names else NO_SEGMENTATION)
            self.segment = gr.Dropdown(names or [first], value=first, label="Class to look for", visible=False)
            self.mask_file = make_image_field("A mask of the picture: white where it counts")

    def _add_attention(self, start: Mapping[str, Any]) -> None:
        levels = merge_levels(self.networks)
        values = {key: controls.to_control_value(key, value, levels) for key, value in start.items()}
        if start["levels"] is None:
            values["levels"] = choose_start_levels(self.networks)
        with gr.Accordion("Attention", open=False):
            self.attention = {
                key: make_widget(control, values[key]) for key, control in controls.make_attention_controls(levels).items()
            }

    def _add_query(self) -> None:
        said = [f"{network.name}: {network.query_note}" for network in self.networks]
        with gr.Accordion("Query", open=False):
            make_html(figures.render_notes(said if len(said) > 1 else [self.networks[0].query_note]))
            with gr.Column(visible=any(network.acting for network in self.networks)):
                self.query = gr.Radio([OWN, OTHER], value=OWN, label="Query of", interactive=False)
                self.other_file = make_image_field("The other picture")
                self.other = make_html()
                self.other_gallery = make_gallery("Examples of another picture", self.examples)

    def _add_result(self, number: int) -> dict[str, Any]:
        """What stays in view on a narrow screen."""
        with gr.Column(min_width=150, elem_classes="lta-view"):
            make_html(figures.render_heading(self.networks[number]), padding=False)
            result = make_html(padding=False)
            make_comparison()
        return {"result": result}

    def _add_more(self, number: int) -> None:
        with gr.Column(min_width=280):
            self.views[number] |= {
                "said": make_html(name="lta-said", padding=False),
                "save": gr.Button("Download at full size", variant="primary", interactive=False),
                "file": gr.DownloadButton(visible="hidden"),
                "all": gr.Button("All effects at a glance", interactive=False),
                "effects": gr.HTML(js_on_load=PRESSED, padding=False),
            }
            make_html(figures.render_about(self.networks[number]), padding=False)
            self.views[number]["seen"] = make_html(padding=False)

    def _wire(self, do: Handlers) -> None:
        of_effects = [part for values in self.values.values() for part in values.values()]
        live = [self.effect, *of_effects, *self.attention.values(), self.source, self.segment]
        state = [*live, self.query]
        results = [view[part] for view in self.views for part in ("result", "said")]
        whole = [*results, *(view[part] for view in self.views for part in ("save", "seen"))]
        others = [self.other, self.query, *whole]
        silent: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        at_once: dict[str, Any] = {**silent, "concurrency_limit": None}

        self.effect.change(show_only_chosen(list(self.boxes)), self.effect, list(self.boxes.values()), **at_once)
        for values in self.values.values():
            if "how" in values:
                parts = list(values.values())
                values["how"].change(hide_idle_controls(list(values)), parts, parts, **at_once)
        gr.on([part.input for part in live], do.update_results, state, results, trigger_mode="always_last", **silent)
        self.file.upload(do.upload, [self.file, *state], [self.file, self.given, *whole], **WHOLE)
        self.gallery.click(do.choose_example, state, [self.given, *whole], **PRIVATE)
        if self.examples:
            self.blocks.load(do.show_first_example, state, [self.given, *whole], **PRIVATE)
        self._wire_source(do, state, results, silent, at_once)
        self._wire_effects(do, state, results, silent)
        self.query.input(do.change_query, state, whole, **PRIVATE)
        self.other_file.upload(do.upload_other, [self.other_file, *state], [self.other_file, *others], **WHOLE)
        self.other_gallery.click(do.choose_other_example, state, others, **PRIVATE)
        for number, view in enumerate(self.views):
            made = view["save"].click(do.save(number), state, view["file"], **WHOLE)
            made.success(None, view["file"], None, js=FETCH, **silent)
        self.blocks.unload(do.leave)

    def _wire_source(self, do: Handlers, state: list[Any], results: list[Any], silent: Any, at_once: Any) -> None:
        self.mask_file.upload(do.upload_mask, [self.mask_file, *state], [self.mask_file, self.source, *results], **WHOLE)
        self.source.change(lambda source: gr.Dropdown(visible=source == SEGMENTATION), self.source, self.segment, **at_once)
        gr.on([self.file.upload, self.gallery.click], leave_mask, self.source, self.source, **silent)

    def _wire_effects(self, do: Handlers, state: list[Any], results: list[Any], silent: Any) -> None:
        """All effects at a glance are those of one picture: another one removes them."""
        for number, view in enumerate(self.views):
            view["all"].click(do.show_all_effects(number), state, view["effects"], **WHOLE)
            view["effects"].click(do.choose_effect, state, [self.effect, *results], **silent)
            view["seen"].change(lambda: ["", gr.Button(interactive=True)], None, [view["effects"], view["all"]], **silent)
