"""The Weights & Biases run of a run directory."""

import logging
import os
import secrets
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from lta import checks

log = logging.getLogger(__name__)

MODES = ("auto", "online", "offline")

EPOCH_KEYS = ("train/*", "val/*", "test_each_epoch/*", "test/*", "attention/*", "time/*", "lr")
"""What is drawn over `epoch`; Lightning would draw all over its own step."""


def wandb_logger(
    directory: str, project: str = "lta", mode: str = "auto", entity: str | None = None, group: str | None = None,
    name: str | None = None, tags: Sequence[str] = (),
) -> WandbLogger:  # fmt: skip
    """A logger that writes below `directory` and keeps the run's id there, so that a resumed run is the same W&B run.

    `mode="auto"` is online where W&B has a login (or WANDB_MODE says so), else offline; what it chose is logged.
    """
    checks.choice("logger.wandb.mode", mode, MODES)
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_login() else "offline")
    if mode == "offline" and rank_zero_only.rank == 0:
        log.info("W&B: offline; upload later with: wandb sync %s", Path(directory) / "wandb" / "offline-run-*")
    # The mode is given to wandb.init: WandbLogger(offline=True) would set WANDB_MODE for the whole process.
    logger = WandbLogger(
        project=project, save_dir=directory, id=run_id(Path(directory)), name=name or Path(directory).resolve().name,
        log_model=False, mode=mode, entity=entity, group=group, tags=list(tags), settings=_quiet(),
    )  # fmt: skip
    logger._wandb_init.pop("anonymous", None)  # Lightning always passes it, and W&B warns that it has no effect
    for key in EPOCH_KEYS:
        logger.experiment.define_metric(key, step_metric="epoch")
    if mode == "online" and rank_zero_only.rank == 0:
        log.info("W&B: online, %s", logger.experiment.url)
    return logger


def finish(loggers: Sequence[Any], failed: bool) -> None:
    """Ends the W&B run: the next job of a sweep in this process is a run of its own."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.finish(exit_code=int(failed))


def run_id(directory: Path) -> str:
    """The W&B id of this run directory, made up at its first use."""
    path = directory / "wandb_id"
    if not path.is_file():
        path.write_text("".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8)))
    return path.read_text()


def _quiet() -> Any:
    import wandb

    return wandb.Settings(silent=True)


def _has_login() -> bool:
    import wandb

    try:
        return wandb.login(prompt=False, timeout=10)
    except Exception as error:  # a login, but no answer: W&B raises one of many things
        log.warning("W&B: there is a login, but no answer (%s)", str(error).splitlines()[0])
        return False
