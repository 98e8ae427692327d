"""`python -m lta.predict`: a trained network's answers and attention maps, picture by picture."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.settings import settings_of
from lta.instantiate import plain


def predict(composed: DictConfig) -> None:
    """Runs `lta predict`: writes the answers. Raises ValueError for settings that make no sense together."""
    cfg = plain(settings_of("predict", composed))
    # Imported here: `--help` and `--cfg job` need none of it.
    import time
    from pathlib import Path

    from lta import checks
    from lta.inference.checkpoint import load
    from lta.measures.label_sets import gives_several_labels
    from lta.pictures.drawn import OVERLAYS, SHEET
    from lta.pictures.find import find_with_places
    from lta.predict import drawing, files
    from lta.predict.answering import answer_pictures
    from lta.training.devices import choose_device
    from lta.training.prediction import Columns

    columns = Columns(cfg["top"], cfg["probabilities"], cfg["threshold"])
    columns.check()
    checks.require_whole_number("sheet", cfg["sheet"])
    checks.require_whole_number("batch_size", cfg["batch_size"], least=1)
    drawing.check_overlays(cfg["overlays"], cfg["threshold"])
    out = Path(cfg["out"])
    tables = files.Tables(out, files.check_formats(cfg["format"]), columns)
    places = cfg["images"] if isinstance(cfg["images"], list) else [cfg["images"]]
    found = files.leave_out_own(find_with_places(places, below=True), out)
    tables.require_absent(cfg["overwrite"])
    overlays = files.name_overlays(out, found)
    classifier = load(cfg["checkpoint"], cfg["which"]).to(choose_device(cfg["device"]))
    tables.columns = columns = columns._replace(several=gives_several_labels(classifier))
    columns.check(classifier.class_names)
    if columns.several and cfg["overlays"] == "unsure":
        raise ValueError(
            "overlays=unsure: this network gives several labels or none, so no answer can be unsure; give all or none"
        )
    pictures = [one.path for one in found]
    whose = f"checkpoint={cfg['checkpoint']}"
    drawn = drawing.Drawing(classifier, pictures, cfg["overlays"], cfg["sheet"], cfg["levels"], whose)
    start = time.monotonic()
    count = answer_pictures(classifier, found, tables, drawn, overlays, cfg["batch_size"])
    lines = list(tables.describe(time.monotonic() - start))
    if count:
        lines.append(f"  {out / OVERLAYS}: {count:,}")
    if drawn.write_sheet(out / SHEET, len(found)):
        without = "" if drawn.on_sheet else " (this network has no attention maps to draw)"
        lines.append(f"  {out / SHEET}{without}")
    print(*lines, sep="\n")
    tables.check_complete()


if __name__ == "__main__":
    launch(predict, "predict", lists=("format", "images"), sweeps=False)
