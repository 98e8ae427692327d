"""What a network has said of pictures, and the same as rows of a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

from lta import checks
from lta.measures.label_sets import HALF, join_labels, list_names
from lta.runtime.files import replace_file
from lta.runtime.spreadsheets import start_table

if TYPE_CHECKING:
    from pandas import DataFrame

SHOWN = 8
DIGITS = 6
"""Of a probability in a table."""

UNSURE = "unsure"


class LeftOut(NamedTuple):
    """A picture that could not be used, and why, in one line."""

    name: str
    reason: str


class Columns(NamedTuple):
    """Which columns a table of predictions has: the `top` likeliest classes, the probability of `each` class, and where a
    `threshold` is given the answer, which is "unsure" where the likeliest class has a lower probability.

    Of `several` labels a picture: those whose probability is at least the `threshold` (None: 0.5), with | between them."""

    top: int = 3
    each: bool = False
    threshold: float | None = None
    several: bool = False

    def check(self, class_names: Sequence[str] = ()) -> None:
        """Raises ValueError where they can't be, or not of a network with these classes."""
        checks.require_whole_number("top", self.top, least=1)
        checks.require_flag("probabilities", self.each)
        if self.threshold is not None:
            checks.require_share("threshold", self.threshold)
            if UNSURE in class_names and not self.several:
                raise ValueError(
                    f"threshold={self.threshold}: the network has a class named {UNSURE}, the word for answers below it"
                )


class Prediction(NamedTuple):
    """`labels` are the names of the likeliest classes, `indices` their positions in `class_names`; `maps` by level, as the
    network's `attn`: {} where it has none. Of `several` labels a picture, `labels` are all those of a probability of at
    least 0.5, with | between them, and probabilities do not sum to 1. `names` are those of files, "picture 3" for the
    fourth of all where it was given in another form. Everything is on the CPU, one entry a picture, in the order given;
    `left_out` are those without."""

    labels: list[str]
    indices: Int[Tensor, " pictures"]
    probabilities: Float[Tensor, "pictures classes"]
    maps: dict[str, Tensor]
    class_names: tuple[str, ...]
    names: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    several: bool = False

    def __repr__(self) -> str:
        count = len(self.labels)
        likeliest = self.probabilities[:SHOWN].amax(1).tolist()
        shown = ", ".join(f"{label} {share:.2f}" for label, share in zip(self.labels, likeliest, strict=False))
        more = f" and {count - SHOWN} more" if count > SHOWN else ""
        sizes = ", ".join(f"{level} {attn.shape[1]}x{attn.shape[2]}" for level, attn in self.maps.items())
        lacking = f"; {len(self.left_out)} left out" if self.left_out else ""
        return f"Prediction of {count} picture{'s' * (count > 1)}: {shown}{more}; maps {sizes or 'none'}{lacking}"

    def to_rows(self, top: int = 3, probabilities: bool = False, threshold: float | None = None) -> list[dict[str, Any]]:
        """One dict a picture, as `lta predict` writes them: `file`, `answer` (with a `threshold`: "unsure" below it),
        `label`, `probability`, the same of the classes that come next (`top` in all: `label_2`, ...), and with
        `probabilities` one column for each class. Of several labels a picture `labels` comes first: those of a
        probability of at least the `threshold` (None: 0.5)."""
        columns = Columns(top, probabilities, threshold, self.several)
        columns.check(self.class_names)
        return make_rows(self.names, self.probabilities, self.class_names, columns)

    def to_csv(self, path: str | Path, top: int = 3, probabilities: bool = False, threshold: float | None = None) -> Path:
        """Writes `to_rows` to a file, which replaces what is there; the file is what `lta predict` writes."""
        columns = Columns(top, probabilities, threshold, self.several)
        rows = self.to_rows(top, probabilities, threshold)
        path = Path(path)
        with replace_file(path) as file:
            start_table(file.write, list_columns(self.class_names, columns))(rows)
        return path

    def to_pandas(self, top: int = 3, probabilities: bool = False, threshold: float | None = None) -> "DataFrame":
        """The rows as a data frame. Raises ImportError where pandas, which lta does not need, is not installed."""
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ImportError("to_pandas needs pandas (pip install pandas); to_rows and to_csv need nothing") from error
        columns = Columns(top, probabilities, threshold, self.several)
        return DataFrame(self.to_rows(top, probabilities, threshold), columns=list_columns(self.class_names, columns))


def list_columns(class_names: Sequence[str], columns: Columns) -> list[str]:
    """The keys of each of `make_rows`."""
    count = min(columns.top, len(class_names))
    ranked = [f"{key}{place}" for place in ("", *(f"_{n}" for n in range(2, count + 1))) for key in ("label", "probability")]
    answer = ["labels"] if columns.several else [] if columns.threshold is None else ["answer"]
    return ["file", *answer, *ranked, *([f"p({name})" for name in class_names] if columns.each else [])]


def make_rows(
    names: Sequence[str], probabilities: Float[Tensor, "pictures classes"], class_names: Sequence[str], columns: Columns
) -> list[dict[str, Any]]:
    """One dict a picture. Of classes that are as likely the one that comes first in `class_names` stands first."""
    keys = list_columns(class_names, columns)
    shares, order = probabilities.sort(dim=1, descending=True, stable=True)
    count = min(columns.top, len(class_names))
    rows = []
    for name, ranked, places, all_shares in zip(
        names, shares[:, :count].tolist(), order[:, :count].tolist(), probabilities.tolist(), strict=True
    ):
        answer = _answer(str(class_names[places[0]]), ranked[0], all_shares, class_names, columns)
        cells = [cell for share, place in zip(ranked, places, strict=True) for cell in (class_names[place], _round(share))]
        each = [_round(share) for share in all_shares] if columns.each else []
        rows.append(dict(zip(keys, [name, *answer, *cells, *each], strict=True)))
    return rows


def name_sets(
    probabilities: Float[Tensor, "pictures classes"], class_names: Sequence[str], threshold: float = HALF
) -> list[str]:
    """Of each picture the labels that have at least that probability, with | between them."""
    return [
        join_labels(list_names([share >= threshold for share in shares], class_names)) for shares in probabilities.tolist()
    ]


def _answer(label: str, share: float, shares: Sequence[float], class_names: Sequence[str], columns: Columns) -> list[str]:
    """What stands before the likeliest classes; nothing where nothing more is asked."""
    if columns.several:
        threshold = HALF if columns.threshold is None else columns.threshold
        return [join_labels(list_names([one >= threshold for one in shares], class_names))]
    return [] if columns.threshold is None else [UNSURE if share < columns.threshold else label]


def _round(share: float) -> float:
    return round(share, DIGITS)
