"""`python -m lta.teach`: from a few pictures with masks to a network that shows where such objects are."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.settings import settings_of
from lta.instantiate import plain


def teach(composed: DictConfig) -> None:
    """Runs `lta teach`: writes the taught network. Raises ValueError for settings or masks that can't be used."""
    cfg = plain(settings_of("teach", composed))
    # Imported here: `--help` and `--cfg job` need none of it.
    import time
    from pathlib import Path

    from lta import checks
    from lta.teach import files, lessons, teacher
    from lta.teach.pairs import find_pairs
    from lta.training.devices import choose_device

    start = time.monotonic()
    lessons.check_size(cfg["size"])
    checks.require_flag("mirror", cfg["mirror"])
    checks.require_whole_number("seed", cfg["seed"])
    teacher.check_ridge(cfg["ridge"])
    out = Path(cfg["out"])
    files.require_free(out, cfg["overwrite"])
    pairs, without = find_pairs(Path(cfg["masks"]), None if cfg["images"] is None else Path(cfg["images"]))
    classifier = files.build_classifier(cfg).to(choose_device(cfg["device"]))
    given = list(lessons.read_lessons(pairs, cfg["size"], files.find_step(classifier), cfg["threshold"]))
    taught = teacher.teach(classifier, given, cfg["ridge"], cfg["mirror"], cfg["seed"])
    files.write_run(out, classifier, taught, cfg)
    print(*files.describe(out, classifier, taught, without, time.monotonic() - start), sep="\n")


if __name__ == "__main__":
    launch(teach, "teach", sweeps=False)
