"""Pictures through a network, batch by batch: rows, and drawings, as they come."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor
from tqdm import tqdm

from lta.measures.label_sets import BETWEEN, HALF
from lta.pictures.find import Found
from lta.pictures.grey_range import find_grey_range
from lta.predict.drawing import Answered, Drawing
from lta.predict.files import Tables
from lta.protocols import TrainedClassifier
from lta.training.given import list_files
from lta.training.predict import Predicted, predict_in_batches
from lta.training.prediction import UNSURE, Columns, make_rows


def answer_pictures(
    classifier: TrainedClassifier,
    found: Sequence[Found],
    tables: Tables,
    drawing: Drawing,
    overlays: Sequence[Path],
    batch_size: int,
) -> int:
    """Writes the tables and the overlays, into the files of that name; returns how many overlays there are. Pictures that
    can't be read are named and left out. Raises ValueError where none can be, or nothing can be written."""
    size, grey_range = tuple(classifier.hparams["image_size"]), find_grey_range(classifier.hparams)
    given = list_files([one.path for one in found], size, grey_range)
    drawn = 0
    shown = sys.stderr.isatty()
    with (
        tables.open(classifier.class_names),
        tqdm(total=len(given), unit=" images", disable=not shown, leave=False) as bar,
    ):
        for part in predict_in_batches(classifier, given, batch_size, skip_broken=True):
            for one in part.left_out:
                tqdm.write(f"left out: {one.reason}")
            names = [given[place].name for place in part.places]
            rows = make_rows(names, part.probabilities, classifier.class_names, tables.columns)
            tables.write(rows, part.left_out)
            for answered, row in zip(_put_in_words(part, rows, tables.columns), rows, strict=True):
                drawing.keep_least_sure(answered)
                file = overlays[answered.place]
                if drawing.is_wanted(is_sure=row.get("answer") != UNSURE):
                    drawing.write_overlay(answered, file)
                    drawn += 1
                else:
                    with suppress(FileNotFoundError, NotADirectoryError):  # of an earlier prediction that drew it
                        file.unlink()
            bar.update(len(part.places) + len(part.left_out))
    return drawn


def _put_in_words(part: Predicted, rows: Sequence[dict], columns: Columns) -> list[Answered]:
    maps = {level: attn.numpy() for level, attn in part.maps.items()}
    sure = _measure_sureness(part, columns).tolist()
    return [
        Answered(share, place, _describe_row(row), {level: attn[number] for level, attn in maps.items()})
        for number, (place, row, share) in enumerate(zip(part.places, rows, sure, strict=True))
    ]


def _describe_row(row: Mapping[str, Any]) -> str:
    if "labels" in row:
        return row["labels"].replace(BETWEEN, ", ") or f"no label ({row['label']} {100 * row['probability']:.0f} %)"
    unsure = "unsure: " if row.get("answer") == UNSURE else ""
    return f"{unsure}{row['label']} {100 * row['probability']:.0f} %"


def _measure_sureness(part: Predicted, columns: Columns) -> Tensor:
    """Of each picture the highest probability; of several labels how far the nearest one is from the threshold."""
    if not columns.several:
        return part.probabilities.amax(1) if len(part.places) else part.probabilities.new_empty(0)
    threshold = HALF if columns.threshold is None else columns.threshold
    return (part.probabilities - threshold).abs().amin(1) if len(part.places) else part.probabilities.new_empty(0)
