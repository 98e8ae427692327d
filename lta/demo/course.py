"""Teaching on the page: a visitor's pictures, what is painted in them, what was taught by it, and the way back."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple, cast

from PIL import Image
from torch import Tensor

from lta.demo.limits import Limits, decode_image, make_preview
from lta.demo.strokes import Stroke, draw_mask
from lta.inference.windows import Seen, run_at_scales
from lta.models.taught_net import TaughtNet
from lta.pictures.read import Picture, UnusablePicture
from lta.teach.files import find_step, write_checkpoint
from lta.teach.lessons import Lesson, make_lesson
from lta.teach.teacher import Taught, teach
from lta.training.classifier import Classifier

MOST = 30
"""Pictures of a page."""

PIXELS = 300_000
"""Of a picture that is painted in: as many as the network sees of it, and more."""

FILE = "my_object.ckpt"


@dataclass
class Painted:
    """A picture, and what is painted in it. `seen`: by the network after each number of steps of teaching."""

    name: str
    preview: Picture
    strokes: tuple[Stroke, ...] = ()
    seen: dict[int, Seen] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the preview, in whose pixels strokes are."""
        return self.preview.rgb.shape[2], self.preview.rgb.shape[1]

    def make_lesson(self, size: int, step: int) -> Lesson | None:
        """None where nothing is painted."""
        mask = draw_mask(self.strokes, self.size)
        if not mask.getbbox():
            return None
        picture = Image.fromarray(self.preview.on_white.permute(1, 2, 0).contiguous().numpy())
        return make_lesson(picture, mask, size, step)


class Step(NamedTuple):
    """What one press of "teach" made: the strokes of each picture that there was, what was learned, and all of the network
    that this changes."""

    strokes: tuple[tuple[Stroke, ...], ...]
    taught: Taught
    state: dict[str, Tensor]


@dataclass
class Course:
    """Of one page. `place`: the picture that is painted in; `steps`: what was taught, one after another."""

    classifier: Classifier
    pictures: list[Painted] = field(default_factory=list)
    place: int = 0
    steps: list[Step] = field(default_factory=list)

    @property
    def taught(self) -> Taught | None:
        return self.steps[-1].taught if self.steps else None

    def list_seen(self) -> list[Seen]:
        """What the network, as it is taught now, sees in each picture; kept for when it is taken back to."""
        now = len(self.steps)
        for one in self.pictures:
            if now not in one.seen:
                one.seen[now] = run_at_scales(self.classifier, one.preview.on_white, None)
        return [one.seen[now] for one in self.pictures]


class School:
    """What all pages share: `build` makes the network, untaught, when the first page needs it (that takes seconds), from
    `settings` (of conf/teach.yaml). Files are written below `folder`."""

    def __init__(
        self, build: Callable[[Mapping[str, Any]], Classifier], settings: Mapping[str, Any], most: Limits, folder: Path
    ):
        self.build, self.settings, self.most, self.folder = build, settings, most, folder
        self._untaught: Classifier | None = None

    def begin(self) -> Course:
        """Raises ValueError where there is no network to begin with: its package is not installed."""
        if self._untaught is None:
            self._untaught = self.build(self.settings)
        return Course(copy.deepcopy(self._untaught))

    def add_picture(self, course: Course, name: str, content: bytes) -> None:
        """Raises UnusablePicture where it can't be used, or there are as many as are taken."""
        if len(course.pictures) >= MOST:
            raise UnusablePicture(f"{name}: a page takes at most {MOST} pictures to teach with")
        preview = make_preview(decode_image(name, content, self.most), PIXELS)
        course.pictures.append(Painted(name, preview))

    def paint(self, course: Course, strokes: tuple[Stroke, ...]) -> None:
        """In the picture that is painted in."""
        if course.pictures:
            course.pictures[course.place].strokes = strokes

    def teach(self, course: Course) -> None:
        """By all pictures that are painted in. Raises ValueError, and changes nothing, where that can't be."""
        if len(course.pictures) < 2:
            has = "is no picture" if not course.pictures else "is one picture only"
            raise ValueError(f"there {has}: give at least two, one to paint in and one to see the map on")
        step = find_step(course.classifier)
        found = (one.make_lesson(self.settings["size"], step) for one in course.pictures)
        lessons = [lesson for lesson in found if lesson is not None]
        if not lessons:
            raise ValueError("nothing is painted: paint the object in one of the pictures, then teach")
        if all(bool(lesson.mask.all()) for lesson in lessons):
            raise ValueError("everything is painted: leave out what is not the object")
        taught = teach(course.classifier, lessons, self.settings["ridge"], self.settings["mirror"], self.settings["seed"])
        strokes = tuple(one.strokes for one in course.pictures)
        course.steps.append(Step(strokes, taught, _keep_state(course.classifier)))

    def take_back(self, course: Course) -> None:
        """What was taught last, with what was painted for it. Raises ValueError where nothing was taught."""
        if not course.steps:
            raise ValueError("nothing was taught yet")
        for picture in course.pictures:
            picture.seen.pop(len(course.steps), None)
        course.steps.pop()
        before = course.steps[-1].strokes if course.steps else ()
        for number, picture in enumerate(course.pictures):
            picture.strokes = before[number] if number < len(before) else ()
        if course.steps:
            _restore_state(course.classifier, course.steps[-1].state)
        else:
            course.classifier = self.begin().classifier

    def save(self, course: Course) -> Path:
        """The network as a checkpoint. Raises ValueError where nothing was taught."""
        if course.taught is None:
            raise ValueError("nothing was taught yet: paint the object in a picture, then teach")
        file = self.folder / token_hex(16) / FILE
        write_checkpoint(file, course.classifier, course.taught.masks)
        return file


def build_untaught(build: Callable[[Mapping[str, Any]], Classifier], settings: Mapping[str, Any]) -> Classifier:
    """A network whose map is the length of the backbone's features: nobody taught it."""
    classifier = build(settings).eval()
    cast(TaughtNet, classifier.network).show_length()
    classifier.hparams["taught_by"] = {"labels": False, "masks": 0}
    return classifier


def _keep_state(classifier: Classifier) -> dict[str, Tensor]:
    """All but the backbone's own weights, which teaching leaves as they are."""
    own = {f"network.trunk.{name}" for name, _ in cast(TaughtNet, classifier.network).trunk.named_parameters()}
    return {name: value.detach().clone() for name, value in classifier.state_dict().items() if name not in own}


def _restore_state(classifier: Classifier, state: Mapping[str, Tensor]) -> None:
    now = classifier.state_dict()  # the very tensors; a backbone takes none of which a part is missing
    for name, value in state.items():
        now[name].copy_(value)
