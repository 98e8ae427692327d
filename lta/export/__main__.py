"""`python -m lta.export`: write a trained network into one file that runs without lta."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

from pathlib import Path

from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.settings import settings_of
from lta.instantiate import plain


def export(composed: DictConfig) -> None:
    """Runs `lta export`: writes the file. Raises ValueError for impossible settings."""
    cfg = plain(settings_of("export", composed))
    # Imported here: `--help` and `--cfg job` need none of it.
    from lta import checks
    from lta.export import program

    form = cfg["format"]
    checks.require_choice("format", form, program.FORMATS)
    program.check_installed(form)
    checkpoint = str(cfg["checkpoint"])
    run, stem = find_origin(checkpoint, cfg["which"])
    name = stem if run is None else run if stem == "last" else f"{run}_{stem}"
    out = Path(str(cfg["out"] or f"{name}{program.FORMATS[form]}"))
    if out.suffix != program.FORMATS[form]:
        raise ValueError(f"out={out} must end in {program.FORMATS[form]} with format={form}")
    if out.is_dir():
        raise ValueError(f"out={out} is a folder")
    checks.require_absent([out], cfg["overwrite"], "out=FILE")
    from lta.inference.checkpoint import load

    classifier = load(checkpoint, cfg["which"])
    for line in program.export(classifier, form, out, {"run": run, "checkpoint": f"{stem}.ckpt"}):
        print(line)


def find_origin(checkpoint: str, which: str) -> tuple[str | None, str]:
    """The run's name, None of a checkpoint that lies in no run directory, and the checkpoint's name without suffix."""
    path = Path(checkpoint).resolve()
    if path.is_dir():
        return path.name, which
    return (path.parent.parent.name if path.parent.name == "checkpoints" else None), path.stem


if __name__ == "__main__":
    launch(export, "export", sweeps=False)
