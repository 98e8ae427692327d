"""What the W&B dashboard shows: its sections, their panels, and the keys of our runs that each of them reads.

Plain data, which `wandb_workspace` turns into W&B's own. Imports no torch and no wandb.
"""

from collections.abc import Iterator
from typing import NamedTuple

SETTING = "run.setting"
"""A run's configuration but for its seed, as `wandb_run.setting` words it: runs that share it are averaged."""


class Curves(NamedTuple):
    """Mean over the seeds of each setting, with the standard deviation as a band."""

    title: str
    y: tuple[str, ...]
    x: str = "epoch"
    x_title: str = "epoch"
    log_y: bool = False


class Bars(NamedTuple):
    """A run's last value of each figure: mean over the seeds of each setting, with the standard deviation."""

    title: str
    figures: tuple[str, ...]


class Images(NamedTuple):
    """`by_step`: a column for each row of the run that has some; else one picture a run."""

    title: str
    keys: tuple[str, ...]
    by_step: bool = False


class Table(NamedTuple):
    """One table, of all runs that are shown."""

    key: str


class Coordinates(NamedTuple):
    """A line a run, from what was chosen to what came out."""

    title: str
    settings: tuple[str, ...]
    figures: tuple[str, ...]


class Differences(NamedTuple):
    """Settings and figures, a column a run; only what differs."""


Panel = Curves | Bars | Images | Table | Coordinates | Differences


class Section(NamedTuple):
    """A section of the dashboard: its heading, its panels, and whether it is unfolded at first."""

    name: str
    panels: tuple[Panel, ...]
    is_open: bool = False


LEVELS = ("A", "B", "C")

STATISTICS = {
    "entropy": "entropy (nats)",
    "effective_positions": "effective number of positions",
    "peak": "peak, times uniform attention",
    "centre_bias": "centre bias, uniform attention = 1",
    "change": "share that moved since the previous panel",
}

FOUND = ("iou", "pointing", "energy")
"""What is logged of the maps of pictures with masks."""

CHOSEN = ("logger.wandb.choices.model", "logger.wandb.choices.compat")

EVALUATED = {
    "classification": ("confusion", "calibration", "surest_mistakes", "least_sure"),
    "kept_sharp": (),
    "localisation": ("examples", "iou_by_threshold"),
    "roles": ("density",),
    "query": ("replaced_A", "replaced_B", "replaced_C"),
    "robustness": ("error_over_eps", "before_and_after"),
    "transfer": (),
    "faithfulness": ("curves", "examples"),
}
"""Names of the pictures by evaluator; each has a table too."""

GROUPED_BY = ("Group", SETTING)
"""The runs: by sweep (W&B's group), in it by setting; what is left in such a group are its seeds."""

COLUMNS = {
    "config": (SETTING, "seed", "recipe.epochs", "recipe.lr"),
    "summary": ("val/error", "test/error", "time/seconds"),
}
"""Of the table of runs."""

SECTIONS = (
    Section(
        "Error",
        (
            Curves("validation error (%)", ("val/error",)),
            Curves("training error (%)", ("train/error",)),
            Bars("test error (%), read once at the end", ("test/error",)),
            Curves("loss", ("train/loss", "val/loss")),
            Curves("validation error (%) over wall time", ("val/error",), "time/seconds", "seconds of training"),
            Curves("validation error (%) over images seen", ("val/error",), "time/images", "images"),
            Curves(
                "test error (%) after each epoch, where asked for: nothing may be chosen by it", ("test_each_epoch/error",)
            ),
        ),
        is_open=True,
    ),
    Section(
        "Sweep",
        (
            Coordinates(
                "what was chosen, and the errors (%)",
                (*CHOSEN, "recipe.lr", "recipe.weight_decay", "recipe.epochs", "data.batch_size", "seed"),
                ("val/error", "test/error"),
            ),
            Differences(),
        ),
        is_open=True,
    ),
    Section(
        "Attention panels by epoch",
        (Images("a column for each epoch: a picture, and its map at each level", ("attention/panel",), True),),
        is_open=True,
    ),
    *(
        Section(
            f"Attention at level {level}",
            tuple(
                Curves(f"{level}: {title}", (f"attention/{level}/{statistic}",)) for statistic, title in STATISTICS.items()
            ),
        )
        for level in LEVELS
    ),
    Section(
        "Attention between levels, and the query",
        (
            *(
                Curves(f"agreement of {pair} (correlation)", (f"attention/agreement/{pair}",))
                for pair in ("A-B", "A-C", "B-C")
            ),
            Curves(
                "gradient that reaches the query (L2 norm; about 0: it is inert)",
                tuple(f"attention/query_grad_norm/{level}" for level in LEVELS),
                log_y=True,
            ),
        ),
    ),
    Section(
        "Learning rate and time",
        (
            Curves("learning rate (lr/muon: of the matrices, with recipe=muon)", ("lr", "lr/muon")),
            Curves("images seen over time: the slope is images/s", ("time/images",), "time/seconds", "seconds of training"),
            Curves("seconds of training", ("time/seconds",)),
        ),
    ),
    Section(
        "Unequal classes, and several labels a picture",
        (
            Curves("validation error (%), mean of the classes' errors", ("val/balanced_error",)),
            Curves("share of wrong labels (%)", ("val/label_error",)),
            Curves("mean average precision (mAP) of several labels", ("val/mAP",)),
            Curves("mean AUROC of several labels", ("val/auroc",)),
        ),
    ),
    Section(
        "Maps that masks teach",
        (
            Curves("IoU of map and mask on validation pictures, the best level", ("val/iou",)),
            *(
                Curves(f"{level}: how well the map finds the object", tuple(f"val/{what}/{level}" for what in FOUND))
                for level in LEVELS
            ),
            Curves("loss of the masks", ("train/mask_loss",)),
        ),
    ),
    *(
        Section(
            f"Evaluator: {name}",
            (
                Table(f"evaluation/{name}"),
                *(Images(picture.replace("_", " "), (f"evaluation/{name}/{picture}",)) for picture in pictures),
            ),
        )
        for name, pictures in EVALUATED.items()
    ),
)


def keys() -> Iterator[tuple[str, str]]:
    """Every key that the dashboard reads, with where it stands in a run: history, summary, pictures, table or config."""
    for panel in (panel for section in SECTIONS for panel in section.panels):
        yield from _list_panel_keys(panel)
    yield "config", SETTING
    for part, names in COLUMNS.items():
        yield from ((part, name) for name in names)


def outline() -> str:
    """The dashboard in words: a line a panel."""
    lines = [
        f"runs grouped by {', '.join(GROUPED_BY)}; columns {', '.join(name for part in COLUMNS.values() for name in part)}"
    ]
    for section in SECTIONS:
        lines += ["", section.name + ("" if section.is_open else " (folded)")]
        for panel in section.panels:
            named = ", ".join(key for _, key in _list_panel_keys(panel))
            title = getattr(panel, "title", "")
            lines.append(f"  {type(panel).__name__.lower():12} {title}{': ' if title and named else ''}{named}")
    return "\n".join(lines)


def _list_panel_keys(panel: Panel) -> Iterator[tuple[str, str]]:
    match panel:
        case Curves():
            yield from (("history", key) for key in dict.fromkeys((*panel.y, panel.x)))
        case Bars():
            yield from (("summary", key) for key in panel.figures)
        case Images():
            yield from (("pictures", key) for key in panel.keys)
        case Table():
            yield "table", panel.key
        case Coordinates():
            yield from (("config", key) for key in panel.settings)
            yield from (("summary", key) for key in panel.figures)
