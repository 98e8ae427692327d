"""`python -m lta.apply`: use a trained network's attention, a segmentation or a mask for an effect on pictures."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.settings import settings_of
from lta.instantiate import build, plain

SOURCES = ("checkpoint", "segmentation", "mask")


def apply(composed: DictConfig) -> None:
    """Runs `lta apply`: writes the effects on the pictures. Raises ValueError for settings that make no sense together."""
    cfg = plain(settings_of("apply", composed))
    if [cfg[source] for source in SOURCES].count(None) != len(SOURCES) - 1:
        raise ValueError("give one of checkpoint=RUN, whose attention is used, segmentation=CLASS (as person) and mask=FILE")
    # Imported here: `--help` and `--cfg job` need none of it.
    import itertools
    from pathlib import Path

    from lta import checks
    from lta.apply import segmentation, sources
    from lta.apply.files import apply_effects
    from lta.effects import transparency
    from lta.pictures.find import find_images, name_out
    from lta.pictures.metadata import METADATA
    from lta.pictures.read import UnusablePicture
    from lta.training.devices import choose_device

    checks.require_choice("metadata", cfg["metadata"], METADATA)
    effects = {name: build(node) for name, node in cfg["effect"].items()}
    transparency.check(effects)
    pictures = find_images(cfg["images"] if isinstance(cfg["images"], list) else [cfg["images"]])
    out = Path(cfg["out"])
    suffixes = {effect: transparency.choose_suffix(function) for effect, function in effects.items()}
    files = {effect: name_out(out, pictures, effect, suffix) for effect, suffix in suffixes.items()}
    sheets = name_out(out, pictures, "sheet", ".png")
    results = itertools.chain(*files.values(), sheets if len(effects) > 1 else ())
    checks.require_absent(results, cfg["overwrite"], "out=FOLDER")
    if cfg["mask"] is not None:
        source = sources.from_mask(cfg["mask"], cfg["attention"])
    elif cfg["segmentation"] is not None:
        device = choose_device(cfg["device"])
        source = segmentation.from_segmentation(cfg["segmentation"], cfg["segmenter"], device, cfg["attention"])
    else:
        device = choose_device(cfg["device"])
        source = sources.from_network(cfg["checkpoint"], cfg["which"], device, cfg["attention"])
    failed = 0
    for place, path in enumerate(pictures):
        wanted = {effect: (function, files[effect][place]) for effect, function in effects.items()}
        try:
            for line in apply_effects(path, wanted, sheets[place], source, cfg["metadata"]):
                print(line)
        except UnusablePicture as error:  # the others are still worth having
            print(f"left out: {error}")
            failed += 1
    if failed == len(pictures):
        raise ValueError("no picture could be used")


if __name__ == "__main__":
    launch(apply, "apply", lists=("effect", "images"), sweeps=False)
