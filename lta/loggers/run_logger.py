"""A W&B run that training does not depend on, and that is told nothing but what may be shared."""

import json
import logging
import re
import shlex
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from lta.loggers.logged import LoggedRows
from lta.loggers.wandb_parts import read_logged_rows
from lta.loggers.wandb_service import NoAnswer, abandon, call_within, reason

log = logging.getLogger(__name__)

CALL = 60.0
"""Seconds for one call; W&B only queues what it is given, unless its service hangs."""

ABOUT_THE_CODE = ("lta", "git", "code", "python", "libraries", "machine")
"""Of the start that run.json records last; not the command, whose paths may be anybody's."""


class RunLogger(WandbLogger):
    """Lightning's logger for a `run` that was begun here; None at all ranks but zero, where it does nothing.

    Once the service has died or hangs, nothing more is sent, and training goes on: a line says so. `held` tells what
    the `earlier` parts of a resumed run have. `setting` is what the run is but for its seed; `checkpoints` are to be
    uploaded as artifacts.
    """

    def __init__(
        self,
        directory: Path,
        project: str,
        run: Any = None,
        earlier: Sequence[Path] = (),
        finish_timeout: int = 60,
        setting: str = "",
        checkpoints: Sequence[str] = (),
    ):
        super().__init__(project=project, save_dir=directory, experiment=run)
        self.directory, self.earlier, self.finish_timeout = directory, earlier, finish_timeout
        self.setting, self.checkpoints = setting, checkpoints
        self.stopped = run is None

    @property
    def version(self) -> str | None:
        """The run's id, the same at all ranks; None before rank zero has written it."""
        path = self.directory / "wandb_id"
        return path.read_text().strip() if path.is_file() else None

    @rank_zero_only
    def describe(self, epoch_keys: Sequence[str], tags: Sequence[str]) -> None:
        """What is drawn over `epoch`; tags are added to those that a resumed run was given by hand."""

        def tell() -> None:
            for key in epoch_keys:
                self.experiment.define_metric(key, step_metric="epoch")
            if wanted := dict.fromkeys([*(self.experiment.tags or ()), *tags]):
                self.experiment.tags = tuple(wanted)

        self._send(tell)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        config = dict(vars(params) if isinstance(params, Namespace) else params)
        about = {"setting": self.setting, **describe_code(self.directory)}
        self._send(partial(super().log_hyperparams, hide_home({**config, "run": about})))

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        self._send(partial(super().log_metrics, metrics, step))

    @rank_zero_only
    def log_answer(self, sent: dict[str, Any], summary: dict[str, float]) -> None:
        """A row of tables and pictures, which belongs to no epoch, and figures for the run's summary."""

        def tell() -> None:
            self.experiment.log(sent)
            self.experiment.summary.update(summary)

        self._send(tell)

    @rank_zero_only
    def log_artifact(self, what: str, made: Callable[[], tuple[Any, list[str]]]) -> None:
        """An artifact and its aliases; where they can't be made or are refused, a line says so, and all else is sent."""

        def tell() -> None:
            try:
                artifact, aliases = made()
                self.experiment.log_artifact(artifact, aliases=aliases)
            except Exception as error:  # W&B raises one of many things
                log.warning("W&B: %s is not sent as an artifact: %s", what, reason(error))

        self._send(tell)

    def read_logged_rows(self) -> LoggedRows | None:
        """What this run has already; None where that can't be told."""
        try:
            return call_within(CALL, partial(read_logged_rows, self.earlier, self.experiment))
        except Exception as error:  # of a service or server that is gone: training does not wait for it
            log.warning("W&B: cannot read what this run holds (%s): no earlier epoch is sent again", reason(error))
            return None

    @rank_zero_only
    def finish(self, failed: bool) -> None:
        """Waits `finish_timeout` seconds for uploads; says how what was not sent is sent later. Raises nothing."""

        def end() -> None:
            try:
                self.experiment.finish(exit_code=int(failed))
            except TimeoutError:
                log.warning("W&B: not all was sent within %d s; %s sends it again", self.finish_timeout, self._sync())

        self._send(end, self.finish_timeout)
        self.stopped = True

    def _send(self, call: Callable[[], None], beside: float = 0.0) -> None:
        if self.stopped:
            return
        try:
            call_within(CALL + beside, call)
        except Exception as error:  # a service that is gone: W&B raises one of many things
            self.stopped = True
            said = "it does not answer" if isinstance(error, NoAnswer) else reason(error)
            log.warning(
                "W&B stopped (%s): metrics.csv and attention/ are complete without it; to send what W&B has on disk: %s",
                said,
                self._sync(),
            )
            abandon()

    def _sync(self) -> str:
        """The command that uploads this part of the run; W&B leaves out what was begun online unless told not to."""
        option = "" if self.experiment.offline else " --no-skip-online"
        return f"wandb sync{option} {shlex.quote(str(Path(self.experiment.dir).parent))}"


def describe_code(directory: Path) -> dict[str, Any]:
    """Commit, hash and version of the code, libraries and machine, of this start."""
    record = directory / "run.json"
    start = json.loads(record.read_text())["starts"][-1] if record.is_file() else {}
    return {key: start[key] for key in ABOUT_THE_CODE if key in start}


def hide_home(config: Any, home: str | None = None) -> Any:
    """The same, with `~` for the home directory in every text: it carries the user's name."""
    home = str(Path.home()) if home is None else home
    if isinstance(config, dict):
        return {key: hide_home(value, home) for key, value in config.items()}
    if isinstance(config, (list, tuple)):
        return [hide_home(value, home) for value in config]
    if isinstance(config, (str, Path)) and home != "/":
        return re.sub(rf"(?<![\w./~-]){re.escape(home)}(?![\w.-])", "~", str(config))
    return config
