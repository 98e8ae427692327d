"""`python -m lta.run`: train one network, test it once, and show what it attends to."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.memory import name_needed_memory
from lta.cli.own_data import add_saved_places
from lta.cli.resolvers import find_run_directory, is_directory_given
from lta.cli.settings import resolve_settings
from lta.cli.trust import repeat_own_code
from lta.instantiate import build_each
from lta.runtime import run_directory
from lta.runtime.signals import add_hint


def run(composed: DictConfig) -> None:
    """Runs `lta run`: begins a run, resumes it, or says that it is complete."""
    directory = find_run_directory()
    with (
        run_directory.lock_directory(directory, own=not is_directory_given()),
        add_hint(lambda: run_directory.describe_way_on(directory, repeat_own_code())),
    ):
        cfg = resolve_settings(composed)
        finished = run_directory.read_finished_results(directory) if cfg.resume else None
        if finished and not run_directory.is_prolonged(directory, cfg.recipe.get("epochs")):
            if why := run_directory.describe_divergence(finished):
                raise ValueError(f"resume={cfg.resume}: {why}; there is nothing to resume")
            from lta.run import summary

            text = summary.render_text(finished, directory, build_each(cfg.default_evaluators))
            print(text, "\n\nthis run is complete: there is nothing to resume", sep="")
        else:
            from lta.run.train import train

            with name_needed_memory(cfg):
                train(cfg, directory)


if __name__ == "__main__":
    launch(run, add_saved=add_saved_places)
