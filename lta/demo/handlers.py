"""What happens when the page is used: from what its controls hold to what it shows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from lta.demo import controls, figures
from lta.demo.limits import taken
from lta.demo.looking import OTHER, Asked, Workshop, seen_by
from lta.demo.visits import Given, Visit, Visits
from lta.inference.windows import Seen
from lta.pictures.read import UnusablePicture

FORGOTTEN = "There is no picture (any more: the page was not used for long, or many others were opened). Give it again."
PARTS = 4
"""That are shown of each network."""


class Handlers:
    """`effects`: the keywords of each effect, `attention`: its keys, both in the order of the page's controls; `examples`:
    the files of its gallery.

    Every handler takes what the controls hold: the effect, the values of all effects, of attention, and whose query. It
    returns, for each network, the result and what is said of it; and where more has changed, after these of all networks,
    for each its button and what it has seen.
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

    def live(self, request: gr.Request, *values: Any) -> list[Any]:
        visit = self._visit(request)
        with visit.lock:
            return self._results(visit, values)

    def query(self, request: gr.Request, *values: Any) -> list[Any]:
        visit = self._visit(request)
        with visit.lock:
            return self._whole(visit, values)

    def upload(self, request: gr.Request, file: str | None, *values: Any) -> list[Any]:
        """The field is emptied, so that the next picture can be dropped there."""
        return [None, *self._look(request, file, values)]

    def example(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        return self._look(request, self.examples[event.number], values)

    def first(self, request: gr.Request, *values: Any) -> list[Any]:
        return self._look(request, self.examples[0], values)

    def upload_other(self, request: gr.Request, file: str | None, *values: Any) -> list[Any]:
        return [None, *self._look_other(request, file, values)]

    def example_other(self, request: gr.Request, event: gr.EventData, *values: Any) -> list[Any]:
        return self._look_other(request, self.examples[event.number], values)

    def leave(self, request: gr.Request) -> None:
        self.visits.forget(request.session_hash)

    def save(self, number: int) -> Callable[..., str]:
        """A handler that makes the file of one network's result."""

        def made(request: gr.Request, *values: Any) -> str:
            visit = self._visit(request)
            try:
                with visit.lock:  # the file takes its time: meanwhile the page may go on to another picture
                    given, seen = _present(visit), seen_by(visit, number, values[-1])
                file = self.workshop.save(given, seen, number, self.asked(values))
            except (ValueError, OSError) as error:
                raise gr.Error(figures.text(error), title="No file was made", print_exception=False) from error
            visit.keep(number, file.parent)
            return str(file)

        return made

    def asked(self, values: Sequence[Any]) -> Asked:
        """Raises ValueError where a control holds what can't be read."""
        rest = iter(values)
        effect = next(rest)
        of_effects = {name: {key: next(rest) for key in keys} for name, keys in self.effects.items()}
        attention = {key: next(rest) for key in self.attention}
        chosen = {key: controls.meant(key, value) for key, value in of_effects[effect].items()}
        return Asked(effect, chosen, attention, next(rest))

    def _visit(self, request: gr.Request) -> Visit:
        return self.visits.of(str(request.session_hash))

    def _look(self, request: gr.Request, file: str | Path | None, values: Sequence[Any]) -> list[Any]:
        visit, given = self._visit(request), self._given(file)
        if given is None:
            return [gr.skip()] * (1 + PARTS * len(self.workshop.networks))
        with visit.lock:
            visit.given, visit.swapped = given, self.workshop.swap(given, visit.other) if visit.other else ()
            return [figures.given(given), *self._whole(visit, values)]

    def _look_other(self, request: gr.Request, file: str | Path | None, values: Sequence[Any]) -> list[Any]:
        visit, other = self._visit(request), self._given(file)
        if other is None:
            return [gr.skip()] * (2 + PARTS * len(self.workshop.networks))
        chosen = gr.Radio(value=OTHER, interactive=True)
        with visit.lock:
            visit.other, visit.swapped = other, self.workshop.swap(visit.given, other) if visit.given else ()
            return [figures.given(other, small=True), chosen, *self._whole(visit, [*values[:-1], OTHER])]

    def _given(self, file: str | Path | None) -> Given | None:
        """None, and said, where it can't be used; the field is emptied even so."""
        if file is None:  # emptied meanwhile
            return None
        try:
            return self.workshop.look(*taken(file, self.workshop.most))
        except UnusablePicture as error:
            gr.Warning(figures.text(error))
            return None
        finally:
            if Path(file).is_relative_to(self.workshop.folder):  # an upload: what is needed of it is in memory
                Path(file).unlink(missing_ok=True)

    def _whole(self, visit: Visit, values: Sequence[Any]) -> list[Any]:
        parts = self._results(visit, values)
        for number, network in enumerate(self.workshop.networks):
            if visit.given is None:
                parts += [gr.skip(), gr.skip()]
                continue
            seen = seen_by(visit, number, values[-1])
            parts += [gr.Button(interactive=True), figures.seen(network, visit.given, seen, _query(visit, seen, values[-1]))]
        return parts

    def _results(self, visit: Visit, values: Sequence[Any]) -> list[Any]:
        """Where an effect can't be made, the last picture stays, and why is said below it."""
        parts = []
        for number in range(len(self.workshop.networks)):
            try:
                given, asked = _present(visit), self.asked(values)
                pixels, said = self.workshop.shown(visit, number, asked)
                described = f"{given.name} with the effect {asked.effect}"
                parts += [figures.picture(pixels, described, name="result"), figures.notes(said)]
            except ValueError as error:
                parts += [gr.skip(), figures.problem(error)]
        return parts


def _query(visit: Visit, seen: Seen, query: str) -> str:
    if query != OTHER or visit.other is None:
        return ""
    if any(seen is own for own in visit.given.seen):
        return f"It ignores the query of {visit.other.name}."
    return f"Asked with the query of {visit.other.name}:"


def only_shown(names: Sequence[str]) -> Callable[[str], list[Any]]:
    """A handler that shows the one of several boxes that is chosen."""
    return lambda chosen: [gr.update(visible=name == chosen) for name in names]


def without_idle(keys: Sequence[str]) -> Callable[..., list[Any]]:
    """A handler that shows those of an effect's controls that change something."""

    def shown(*values: Any) -> list[Any]:
        idle = controls.idle(dict(zip(keys, values, strict=True)))
        return [gr.update(visible=key not in idle) for key in keys]

    return shown


def _present(visit: Visit) -> Given:
    if visit.given is None:
        raise ValueError(FORGOTTEN)
    return visit.given
