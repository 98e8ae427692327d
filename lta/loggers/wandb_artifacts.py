"""Files kept in W&B: a run's checkpoints in its own W&B run, a report in a run of its own."""

import math
import shlex
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lta import checks
from lta.loggers.run_logger import CALL, RunLogger, hide_home
from lta.loggers.wandb_parts import parts
from lta.loggers.wandb_run import MODES, check_project, start_run
from lta.loggers.wandb_service import abandon, call_within, reason
from lta.runtime.run_directory import find_checkpoint


def send_checkpoints(loggers: Sequence[Any]) -> None:
    """Those that `logger.wandb.checkpoints` asks for, when they change no more. Raises nothing.

    Each is a version of the artifact `model-<id of the run>` with the aliases `last` or `best` and `epoch-<n>` (0-based);
    its metadata are that epoch's row of metrics and the configuration. A run that ends a second time sends the same files
    again, which W&B recognises by their content.
    """
    for logger in loggers:
        if isinstance(logger, RunLogger):
            for which in sorted(logger.checkpoints):  # last is sent last: W&B calls that one `latest`
                logger.log_artifact(f"the {which} checkpoint", partial(_model, logger, which))


def _model(logger: RunLogger, which: str) -> tuple[Any, list[str]]:
    import wandb

    path = find_checkpoint(logger.directory, which)
    content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    config = hide_home(content["hyper_parameters"]["config"])
    recorded = content["callbacks"]["EpochLog"]["rows"][-1]  # of the epoch at whose end it was written
    row = {key: value for key, value in recorded.items() if math.isfinite(value)}  # JSON has no other numbers
    metadata = {**row, "epoch": content["epoch"], "config": config}
    artifact = wandb.Artifact(f"model-{logger.version}", type="model", metadata=metadata)
    # Its upload reads the file where it lies: the copies that W&B would make fill the home directory.
    artifact.add_file(str(path.resolve()), policy="immutable", skip_cache=True)
    return artifact, [which, f"epoch-{content['epoch']}"]


def log_report(
    files: Iterable[str | Path],
    project: str = "lta",
    entity: str | None = None,
    mode: str = "auto",
    name: str = "report",
    finish_timeout: int = 60,
) -> str:
    """Sends a report's files as the artifact `name` of a W&B run of its own, of the job type `report`.

    Returns where it is, in words; what was not sent lies in `wandb/` beside the first file. `mode` is that of the logger.
    Raises ValueError where a file is missing, and with `mode="online"` where W&B can't be reached.
    """
    checks.require_package("wandb", "a report as an artifact", "pip install wandb")
    import wandb

    checks.require_choice("mode", mode, MODES)
    check_project("project", project)
    paths = [Path(file).resolve() for file in files]
    if missing := [path for path in paths if not path.is_file()]:
        raise ValueError(f"there is no file {missing[0]} to log as a part of the report")
    if not paths:
        raise ValueError("no file is given to log as the report")
    directory = paths[0].parent
    before = parts(directory)
    arguments = {"project": project, "entity": entity, "dir": str(directory), "name": name, "job_type": "report"}
    run = start_run(mode, arguments, finish_timeout, "mode")
    unsent = (f"wandb sync {shlex.quote(str(part))}" for part in parts(directory) if part not in before)
    where = next(unsent, "not sent") if run.offline else run.url or "not sent"
    try:
        artifact = wandb.Artifact(name, type="report", metadata={"files": [path.name for path in paths]})
        for path in paths:
            artifact.add_file(str(path), skip_cache=True)  # a copy: reports are written anew
        call_within(CALL, partial(run.log_artifact, artifact))
        call_within(CALL + finish_timeout, run.finish)
    except Exception as error:  # W&B raises one of many things, and the report is written already
        abandon()
        return f"not sent ({reason(error)}); to send what is on disk: wandb sync {shlex.quote(str(Path(run.dir).parent))}"
    return where
