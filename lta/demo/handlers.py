"""What happens when the page is used: from what its controls hold to what it shows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from lta.demo import controls, figures
from lta.demo.limits import read_upload
from lta.demo.looking import MASK, NETWORK, OTHER, Asked, Workshop, select_seen
from lta.demo.visits import Given, Visit, Visits
from lta.inference.windows import Seen
from lta.pictures.read import UnusablePicture

FORGOTTEN = (
    "There is no picture here. It may have been dropped because the page was idle or many others were opened. Give it again."
)
PARTS = 4
"""That are shown of each network."""


class Handlers:
    """`effects`: the keywords of each effect, `attention`: its keys, both in the order of the page's controls; `examples`:
    the files of its gallery.

    Every handler takes what the controls hold: the effect, the values of all effects, of attention, where the map comes from
    and for which class, and whose query. It returns, for each network, the result and what is said of it; and where more has
    changed, after these of all networks, for each its button and what it has seen.
    """

    def __init__(
        self,
        workshop: Workshop,
        visits: Visits,
        effects: Mapping[str, Sequence[str]],
        attention: Sequence[str],
        examples: Sequence[Path],
    ):
        self.workshop, self.visits, self.examples = workshop, visits, examples
        self.effects, self.attention = effects, attention

    def update_results(self, request: gr.Request, *values: Any) -> list[Any]:
        """After a control was moved: the results alone."""
        visit = self._get_visit(request)
        with visit.lock:
            return self._render_results(visit, values)

    def change_query(self, request: gr.Request, *values: Any) -> list[Any]:
        """After another query was chosen: the results, and what each network has seen."""
        visit = self._get_visit(request)
        with visit.lock:
            return self._render_all(visit, values)

    def upload(self, request: gr.Request, file: str | None, *values: Any) -> list[Any]:
        """The field is emptied, so that the next picture can be dropped there."""
        return [None, *self._show_image(request, file, values)]

    def choose_example(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        return self._show_image(request, self.examples[event.number], values)

    def show_first_example(self, request: gr.Request, *values: Any) -> list[Any]:
        return self._show_image(request, self.examples[0], values)

    def upload_other(self, request: gr.Request, file: str | None, *values: Any) -> list[Any]:
        """The picture whose query is used instead. The field is emptied."""
        return [None, *self._show_other_image(request, file, values)]

    def choose_other_example(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        return self._show_other_image(request, self.examples[event.number], values)

    def upload_mask(self, request: gr.Request, file: str | None, *values: Any) -> list[Any]:
        """Of the picture that is there. It becomes where the map comes from."""
        visit = self._get_visit(request)
        with visit.lock:
            try:
                if file is None:  # emptied meanwhile
                    return [None, gr.skip(), *self._skip_results()]
                visit.drawn = self.workshop.read_mask(_require_image(visit), *read_upload(file, self.workshop.most))
            except ValueError as error:
                gr.Warning(figures.escape_text(error))
                return [None, gr.skip(), *self._skip_results()]
            finally:
                self._remove(file)
            return [None, gr.Radio(value=MASK), *self._render_results(visit, [*values[:-3], MASK, *values[-2:]])]

    def show_all_effects(self, number: int) -> Callable[..., str]:
        """A handler that makes all effects at a glance, by one network."""

        def show(request: gr.Request, *values: Any) -> str:
            visit = self._get_visit(request)
            with visit.lock:
                try:
                    _require_image(visit)
                    asked = {name: self.parse_controls([name, *values[1:]]) for name in self.effects}
                    of_effects = {name: one.values for name, one in asked.items()}
                    return figures.render_effects(
                        self.workshop.render_all_effects(visit, number, asked[values[0]], of_effects)
                    )
                except ValueError as error:
                    return figures.render_problem(error)

        return show

    def choose_effect(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        """One of all effects at a glance."""
        name = list(self.effects)[int(event.number)]
        return [gr.Radio(value=name), *self.update_results(request, name, *values[1:])]

    def leave(self, request: gr.Request) -> None:
        """When the page is closed: its pictures are forgotten."""
        self.visits.forget(request.session_hash)

    def save(self, number: int) -> Callable[..., str]:
        """A handler that makes the file of one network's result."""

        def save_result(request: gr.Request, *values: Any) -> str:
            visit = self._get_visit(request)
            try:
                asked = self.parse_controls(values)
                with visit.lock:  # the file takes its time: meanwhile the page may go on to another picture
                    given, seen = _require_image(visit), self.workshop.find_map(visit, number, asked)
                file = self.workshop.save(given, seen, number, asked)
            except (ValueError, OSError) as error:
                raise gr.Error(figures.escape_text(error), title="No file was made", print_exception=False) from error
            visit.keep(number, file.parent)
            return str(file)

        return save_result

    def parse_controls(self, values: Sequence[Any]) -> Asked:
        """Raises ValueError where a control holds what can't be read."""
        rest = iter(values)
        effect = next(rest)
        of_effects = {name: {key: next(rest) for key in keys} for name, keys in self.effects.items()}
        attention = {key: next(rest) for key in self.attention}
        chosen = {key: controls.to_setting_value(key, value) for key, value in of_effects[effect].items()}
        source, segment, query = rest
        return Asked(effect, chosen, attention, query, source, segment)

    def _get_visit(self, request: gr.Request) -> Visit:
        return self.visits.get_visit(str(request.session_hash))

    def _show_image(self, request: gr.Request, file: str | Path | None, values: Sequence[Any]) -> list[Any]:
        visit, given = self._get_visit(request), self._load_image(file)
        if given is None:
            return [gr.skip()] * (1 + PARTS * len(self.workshop.networks))
        with visit.lock:
            visit.give(given)
            visit.swapped = self.workshop.swap_query(given, visit.other) if visit.other else ()
            source = leave_mask(values[-3])
            return [figures.render_input(given), *self._render_all(visit, [*values[:-3], source, *values[-2:]])]

    def _show_other_image(self, request: gr.Request, file: str | Path | None, values: Sequence[Any]) -> list[Any]:
        visit, other = self._get_visit(request), self._load_image(file)
        if other is None:
            return [gr.skip()] * (2 + PARTS * len(self.workshop.networks))
        chosen = gr.Radio(value=OTHER, interactive=True)
        with visit.lock:
            visit.other, visit.swapped = other, self.workshop.swap_query(visit.given, other) if visit.given else ()
            return [figures.render_input(other, small=True), chosen, *self._render_all(visit, [*values[:-1], OTHER])]

    def _load_image(self, file: str | Path | None) -> Given | None:
        """None, and said, where it can't be used; the field is emptied even so."""
        if file is None:  # emptied meanwhile
            return None
        try:
            return self.workshop.analyse_image(*read_upload(file, self.workshop.most))
        except UnusablePicture as error:
            gr.Warning(figures.escape_text(error))
            return None
        finally:
            self._remove(file)

    def _remove(self, file: str | Path | None) -> None:
        if file is not None and Path(file).is_relative_to(self.workshop.folder):  # an upload: what is needed is in memory
            Path(file).unlink(missing_ok=True)

    def _skip_results(self) -> list[Any]:
        return [gr.skip()] * (2 * len(self.workshop.networks))

    def _render_all(self, visit: Visit, values: Sequence[Any]) -> list[Any]:
        parts = self._render_results(visit, values)
        for number, network in enumerate(self.workshop.networks):
            if visit.given is None:
                parts += [gr.skip(), gr.skip()]
                continue
            seen = select_seen(visit, number, values[-1])
            parts += [
                gr.Button(interactive=True),
                figures.render_output(network, visit.given, seen, _describe_query(visit, seen, values[-1])),
            ]
        return parts

    def _render_results(self, visit: Visit, values: Sequence[Any]) -> list[Any]:
        """Where an effect can't be made, the last picture stays, and why is said below it."""
        parts = []
        for number in range(len(self.workshop.networks)):
            try:
                given, asked = _require_image(visit), self.parse_controls(values)
                pixels, said = self.workshop.render_effect(visit, number, asked)
                described = f"{given.name} with the effect {asked.effect}"
                height, width = given.preview.rgb.shape[1:]
                parts += [figures.render_result(pixels, described, (width, height)), figures.render_notes(said)]
            except ValueError as error:
                parts += [gr.skip(), figures.render_problem(error)]
        return parts


def _describe_query(visit: Visit, seen: Seen, query: str) -> str:
    if query != OTHER or visit.given is None or visit.other is None:
        return ""
    if any(seen is own for own in visit.given.seen):
        return f"It ignores the query of {visit.other.name}."
    return f"Asked with the query of {visit.other.name}:"


def leave_mask(source: str) -> str:
    """Where the map of another picture comes from: a mask is of one."""
    return NETWORK if source == MASK else source


def show_only_chosen(names: Sequence[str]) -> Callable[[str], list[Any]]:
    """A handler that shows the one of several boxes that is chosen."""
    return lambda chosen: [gr.update(visible=name == chosen) for name in names]


def hide_idle_controls(keys: Sequence[str]) -> Callable[..., list[Any]]:
    """A handler that shows those of an effect's controls that change something."""

    def update_visibility(*values: Any) -> list[Any]:
        idle = controls.find_idle_keys(dict(zip(keys, values, strict=True)))
        return [gr.update(visible=key not in idle) for key in keys]

    return update_visibility


def _require_image(visit: Visit) -> Given:
    if visit.given is None:
        raise ValueError(FORGOTTEN)
    return visit.given
