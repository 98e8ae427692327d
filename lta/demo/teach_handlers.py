"""What happens when a map is taught on the page."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from lta.demo import figures, painter
from lta.demo.course import Course, School
from lta.demo.limits import read_upload
from lta.demo.strokes import parse_strokes
from lta.demo.visits import Visit, Visits
from lta.pictures.read import UnusablePicture

KEPT = -1
"""The number by which a visit keeps the file of what was taught, beside those of the networks' results."""


class TeachHandlers:
    """Every handler takes what is painted in the picture that is painted in (JSON, see `lta.demo.strokes`) and returns the
    painter, all pictures, what is said, and the two buttons that need something taught. `examples`: the gallery's files."""

    def __init__(self, school: School, visits: Visits, examples: Sequence[Path]):
        self.school, self.visits, self.examples = school, visits, examples

    def upload(self, request: gr.Request, files: Sequence[str] | None, strokes: str) -> list[Any]:
        """The field is emptied."""
        return [None, *self._add(request, files or [], strokes)]

    def add_example(self, request: gr.Request, event: gr.EventData) -> list[Any]:
        return self._add(request, [self.examples[event.number]], event.strokes)

    def choose(self, request: gr.Request, event: gr.EventData) -> list[Any]:
        """The picture to paint in."""

        def act(course: Course) -> None:
            course.place = min(max(0, int(event.number)), len(course.pictures) - 1)

        return self._do(request, event.strokes, act)

    def teach(self, request: gr.Request, strokes: str) -> list[Any]:
        """What is painted on meanwhile stays as it is."""
        return [gr.skip(), *self._do(request, strokes, self.school.teach)[1:]]

    def take_back(self, request: gr.Request, strokes: str) -> list[Any]:
        """One teaching back."""
        return self._do(request, strokes, self.school.take_back)

    def save(self, request: gr.Request) -> str:
        """Makes the file of the taught network, and returns its path."""
        visit = self._get_visit(request)
        try:
            with visit.lock:
                file = self.school.save(self._get_course(visit))
        except (ValueError, OSError) as error:
            raise gr.Error(figures.escape_text(error), title="No file was made", print_exception=False) from error
        visit.keep(KEPT, file.parent)
        return str(file)

    def _add(self, request: gr.Request, files: Sequence[str | Path], strokes: str) -> list[Any]:
        def act(course: Course) -> None:
            for file in files:
                try:
                    self.school.add_picture(course, *read_upload(file, self.school.most))
                except UnusablePicture as error:  # the others are still worth having
                    gr.Warning(figures.escape_text(error))

        try:
            return self._do(request, strokes, act)
        finally:
            for file in files:
                if Path(file).is_relative_to(self.school.folder):  # an upload: what is needed of it is in memory
                    Path(file).unlink(missing_ok=True)

    def _do(self, request: gr.Request, strokes: str, act: Callable[[Course], None]) -> list[Any]:
        """Where it can't be done, all stays as it is, and why is said."""
        visit = self._get_visit(request)
        with visit.lock:
            try:
                course = self._get_course(visit)
            except ValueError as error:
                return [gr.skip(), gr.skip(), figures.render_problem(error), gr.skip(), gr.skip()]
            try:
                self.school.paint(course, parse_strokes(strokes))
                act(course)
                said = figures.render_notes(painter.describe_course(course))
            except ValueError as error:
                said = figures.render_problem(error)
            able = gr.Button(interactive=course.taught is not None)
            return [painter.render_painter(course), painter.render_pictures(course), said, able, able]

    def _get_visit(self, request: gr.Request) -> Visit:
        return self.visits.get_visit(str(request.session_hash))

    def _get_course(self, visit: Visit) -> Course:
        if visit.course is None:
            visit.course = self.school.begin()
        return visit.course
