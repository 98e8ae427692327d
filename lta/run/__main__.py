"""`python -m lta.run`: train one network, test it once, and show what it attends to."""

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lta.cli.launch import launch
from lta.cli.resolvers import directory_given
from lta.cli.settings import settings
from lta.runtime import run_directory
from lta.runtime.signals import hinting


def run(composed: DictConfig) -> None:
    directory = Path(HydraConfig.get().runtime.output_dir)
    with run_directory.locked(directory, own=not directory_given()), hinting(lambda: run_directory.way_on(directory)):
        cfg = settings(composed)
        if cfg.resume and (finished := run_directory.finished(directory)):
            from lta.run import summary

            print(summary.text(finished, directory), "\n\nthis run is complete: there is nothing to go on with", sep="")
        else:
            from lta.run.train import train

            train(cfg, directory)


if __name__ == "__main__":
    launch(run)
