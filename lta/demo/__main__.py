"""`python -m lta.demo`: try a trained network on pictures, on a page in the browser."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

import signal
from collections.abc import Mapping
from typing import Any

from hydra import compose
from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.settings import settings_of
from lta.instantiate import build, plain
from lta.runtime.signals import Stopped

SWEEP = 60.0
"""Seconds between two looks for pages that were left."""


def demo(composed: DictConfig) -> None:
    """Runs `lta demo` until it is stopped."""
    cfg = plain(settings_of("demo", composed))
    try:
        serve(cfg)
    except Stopped as stopped:
        if stopped.number != signal.SIGINT:
            raise Stopped(stopped.number, "the page has ended") from stopped
        print("ended")


def serve(cfg: dict[str, Any]) -> None:
    """Serves the page until a signal comes. Raises ValueError for settings that can't be, or a port that is taken."""
    # Imported here: `--help` and `--cfg job` need none of it.
    import webbrowser
    from threading import Event

    from lta import checks
    from lta.demo import place

    if cfg["compare"] is not None and cfg["checkpoint"] is None:
        raise ValueError(f"compare={cfg['compare']} is shown next to a network: give checkpoint=RUN too")
    place.check_installed()
    checks.require_flag("open", cfg["open"])
    port = place.find_free_port(cfg["host"], cfg["port"])
    with place.use_own_folder(cfg["host"]) as (folder, aside):
        # Imported only now: Gradio, torch and matplotlib read the environment when they are.
        from lta.apply.segmentation import find_file, load_segmenter
        from lta.demo.course import School, build_untaught
        from lta.demo.limits import make_limits
        from lta.demo.looking import Workshop
        from lta.demo.networks import load_networks, name_untaught
        from lta.demo.page import Page
        from lta.demo.serving import serve_page
        from lta.demo.visits import Visits
        from lta.teach.files import build_classifier
        from lta.training.classifier import Classifier
        from lta.training.devices import choose_device

        most = make_limits(**cfg["largest"])
        device = choose_device(cfg["device"])

        def build_there(settings: Mapping[str, Any]) -> Classifier:
            return build_untaught(build_classifier, settings).to(device)

        school = School(build_there, plain(compose("teach", ["masks=painted"])), most, folder)
        checkpoints = [cfg[key] for key in ("checkpoint", "compare") if cfg[key] is not None]
        if checkpoints:
            networks = load_networks(checkpoints, cfg["which"], device)
        else:
            networks = (name_untaught(school.begin().classifier),)
        effects = {name: build(node) for name, node in cfg["effect"].items()}
        here = find_file(cfg["segmenter"]).is_file()  # of others nothing is downloaded
        segmenter = load_segmenter(cfg["segmenter"], device) if here else None
        workshop = Workshop(networks, effects, cfg["attention"]["scales"], most, folder, segmenter)
        workshop.check(cfg["attention"])
        visits = Visits()
        page = Page(workshop, visits, cfg["attention"], school)
        if aside:
            print(f"not used here: {', '.join(aside)}")
        with visits, serve_page(page.blocks, cfg["host"], port, most) as address:
            print(f"{address}  ({place.describe_reach(cfg['host'])}; Ctrl-C ends it)", flush=True)
            if cfg["open"]:
                webbrowser.open(address)
            while True:
                Event().wait(SWEEP)
                visits.forget_idle()


if __name__ == "__main__":
    launch(demo, "demo", lists=("effect",), sweeps=False)
