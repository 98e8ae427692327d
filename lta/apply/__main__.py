"""`python -m lta.apply`: use a trained network's attention, a segmentation or a mask for an effect on pictures."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.settings import settings_of
from lta.instantiate import build, plain

if TYPE_CHECKING:
    from lta.apply.sources import Source

SOURCES = ("checkpoint", "segmentation", "mask", "backbone")


def apply(composed: DictConfig) -> None:
    """Runs `lta apply`: writes the effects on the pictures. Raises ValueError for settings that make no sense together."""
    cfg = plain(settings_of("apply", composed))
    if len(given := [source for source in SOURCES if cfg[source] is not None]) > 1:
        raise ValueError(
            f"{' and '.join(given)} are given, but attention comes from only one source: checkpoint=RUN, segmentation=CLASS "
            "(for example person), mask=FILE or FOLDER, or backbone=NAME (nothing trained)"
        )
    # Imported here: `--help` and `--cfg job` need none of it.
    import itertools
    import time

    from lta import checks
    from lta.apply import masks
    from lta.apply.files import apply_effects
    from lta.effects import transparency
    from lta.pictures.find import find_images, name_out
    from lta.pictures.metadata import METADATA
    from lta.pictures.read import UnusablePicture

    checks.require_choice("metadata", cfg["metadata"], METADATA)
    effects = {name: build(node) for name, node in cfg["effect"].items()}
    transparency.check(effects)
    pictures = find_images(cfg["images"] if isinstance(cfg["images"], list) else [cfg["images"]])
    of_masks = masks.find_folder(cfg["mask"])
    if of_masks is not None:
        pictures = masks.leave_out_masks(pictures, of_masks)
    out = Path(cfg["out"])
    suffixes = {effect: transparency.choose_suffix(function) for effect, function in effects.items()}
    files = {effect: name_out(out, pictures, effect, suffix) for effect, suffix in suffixes.items()}
    sheets = name_out(out, pictures, "sheet", ".png")
    results = itertools.chain(*files.values(), sheets if len(effects) > 1 else ())
    checks.require_absent(results, cfg["overwrite"], "out=FOLDER")
    source = _choose_source(cfg, pictures)
    failed, start = 0, time.monotonic()
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
    seconds, made = time.monotonic() - start, len(pictures) - failed
    print(f"{made} picture{'s' * (made > 1)} in {seconds:.1f} s" + f", {seconds / made:.2f} s each" * (made > 1))


def _choose_source(cfg: Mapping[str, Any], pictures: Sequence[Path]) -> "Source":
    from lta.apply import masks, segmentation, sources
    from lta.training.devices import choose_device

    attention = cfg["attention"]
    if (folder := masks.find_folder(cfg["mask"])) is not None:
        source, said = masks.from_mask_folder(folder, pictures, attention)
        for line in said:
            print(line)
        return source
    if cfg["mask"] is not None:
        return masks.from_mask(cfg["mask"], attention)
    device = choose_device(cfg["device"])
    if cfg["segmentation"] is not None:
        return segmentation.from_segmentation(cfg["segmentation"], cfg["segmenter"], device, attention)
    if cfg["checkpoint"] is not None:
        return sources.from_network(cfg["checkpoint"], cfg["which"], device, attention)
    return sources.from_backbone(cfg["backbone"], device, attention)


if __name__ == "__main__":
    launch(apply, "apply", lists=("effect", "images"), sweeps=False)
