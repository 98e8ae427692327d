"""`python -m lta.apply`: a trained network's attention, or a mask, used on pictures."""

from omegaconf import DictConfig

from lta.config import build, launch, plain, settings_of


def apply(composed: DictConfig) -> None:
    cfg = plain(settings_of("apply", composed))
    if (cfg["checkpoint"] is None) == (cfg["mask"] is None):
        raise ValueError("give either checkpoint=RUN, whose attention is used, or mask=FILE")
    # Imported here: `--help` and `--cfg job` need none of it.
    from pathlib import Path

    from lta import applying, evaluations
    from lta.pictures.find import find, name_out

    effects = {name: build(node) for name, node in cfg["effect"].items()}
    places = cfg["images"] if isinstance(cfg["images"], list) else [cfg["images"]]
    pictures = find(places)
    if cfg["mask"] is None:
        source = applying.from_network(
            cfg["checkpoint"], cfg["which"], evaluations.choose_device(cfg["device"]), cfg["attention"]
        )
    else:
        source = applying.from_mask(cfg["mask"], cfg["attention"])
    files = {effect: name_out(Path(cfg["out"]), pictures, effect) for effect in effects}
    sheets = name_out(Path(cfg["out"]), pictures, "sheet", ".png")
    failed = 0
    for place, path in enumerate(pictures):
        wanted = {effect: (function, files[effect][place]) for effect, function in effects.items()}
        try:
            for line in applying.apply(path, wanted, sheets[place], source):
                print(line)
        except applying.UnusablePicture as error:  # the others are still worth having
            print(f"left out: {error}")
            failed += 1
    if failed == len(pictures):
        raise ValueError("no picture could be used")


if __name__ == "__main__":
    launch(apply, "apply", lists=("effect", "images"), sweeps=False)
