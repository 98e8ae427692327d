"""`python -m lta.apply`: a trained network's attention, or a mask, used on pictures."""

from omegaconf import DictConfig

from lta.config import build, launch, plain, settings_of

TRANSPARENT = ("cutout",)
"""Effects whose results not every picture's own format can keep: they are PNG."""


def apply(composed: DictConfig) -> None:
    cfg = plain(settings_of("apply", composed))
    if (cfg["checkpoint"] is None) == (cfg["mask"] is None):
        raise ValueError("give either checkpoint=RUN, whose attention is used, or mask=FILE")
    # Imported here: `--help` and `--cfg job` need none of it.
    from pathlib import Path

    from lta import applying, attention_source
    from lta.pictures.find import find, name_out
    from lta.pictures.read import UnusablePicture
    from lta.training.devices import choose_device

    effects = {name: build(node) for name, node in cfg["effect"].items()}
    pictures = find(cfg["images"] if isinstance(cfg["images"], list) else [cfg["images"]])
    out = Path(cfg["out"])
    files = {effect: name_out(out, pictures, effect, ".png" if effect in TRANSPARENT else None) for effect in effects}
    sheets = name_out(out, pictures, "sheet", ".png")
    if cfg["mask"] is None:
        device = choose_device(cfg["device"])
        source = attention_source.from_network(cfg["checkpoint"], cfg["which"], device, cfg["attention"])
    else:
        source = attention_source.from_mask(cfg["mask"], cfg["attention"])
    failed = 0
    for place, path in enumerate(pictures):
        wanted = {effect: (function, files[effect][place]) for effect, function in effects.items()}
        try:
            for line in applying.apply(path, wanted, sheets[place], source):
                print(line)
        except UnusablePicture as error:  # the others are still worth having
            print(f"left out: {error}")
            failed += 1
    if failed == len(pictures):
        raise ValueError("no picture could be used")


if __name__ == "__main__":
    launch(apply, "apply", lists=("effect", "images"), sweeps=False)
