"""The Weights & Biases run of a run directory: how it begins and how it ends."""

import logging
import os
import re
import secrets
import shlex
import shutil
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.utilities import rank_zero_only

from lta import checks
from lta.loggers.run_logger import RunLogger
from lta.loggers.wandb_parts import parts
from lta.loggers.wandb_service import BOUNDED, NO_LOGIN, QUIET, abandon, has_login, reason
from lta.runtime.files import write_text
from lta.runtime.run_directory import CHECKPOINTS

log = logging.getLogger(__name__)

MODES = ("auto", "online", "offline")

ID_FILE = "wandb_id"
"""In a run directory: the id of its W&B run."""

LONGEST_PROJECT, NOT_IN_PROJECTS = 128, "/\\#?%:"
"""What W&B's server refuses."""

PRIVATE: dict[str, Any] = {
    "x_disable_meta": True,  # host, user's paths, command line, executable; system metrics stay
    "host": "",
    "disable_git": True,  # the remote's address; the commit is in the configuration
    "save_code": False,
    "program": "lta.run",  # else the path of whatever was started
    "console": "off",  # what is printed names paths; run.log has it
}

EPOCH_KEYS = ("train/*", "val/*", "test_each_epoch/*", "test/*", "attention/*", "time/*", "lr", "lr/*")
"""What is drawn over `epoch`; W&B would draw all over its own count of rows."""


def wandb_logger(
    directory: str,
    project: str = "lta",
    mode: str = "auto",
    entity: str | None = None,
    group: str | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    choices: Mapping[str, str | None] | None = None,
    finish_timeout: int = 60,
    checkpoints: str | Sequence[str] = (),
) -> RunLogger:
    """A logger that writes below `directory` and keeps the run's id there, so that a resumed run is the same W&B run.

    `mode="auto"` is online where W&B has a login and answers (or as WANDB_MODE says), else offline; what it chose is
    logged. `mode="online"` raises ValueError where that can't be. Beside `tags`, what was chosen becomes tags
    (`choices`: group to name). In a Hydra sweep `group` is the sweep directory's name unless given. At the end,
    uploads have `finish_timeout` seconds, those of `checkpoints` ("last", "best") too. Ranks other than zero get a logger
    that does nothing.
    """
    checks.require_choice("logger.wandb.mode", mode, MODES)
    check_project("logger.wandb.project", project)
    checks.require_whole_number("logger.wandb.finish_timeout", finish_timeout, least=1)
    if isinstance(tags, str) or not all(isinstance(tag, str) and 1 <= len(tag) <= 64 for tag in tags):
        raise ValueError(f"logger.wandb.tags={tags} must be a list of words of 1 to 64 letters, for example [first,second]")
    checkpoints = [checkpoints] if isinstance(checkpoints, str) else list(checkpoints)
    for which in checkpoints:
        checks.require_choice("logger.wandb.checkpoints", which, CHECKPOINTS)
    path = Path(directory)
    if rank_zero_only.rank != 0:
        return RunLogger(path, project)
    earlier = parts(path)
    arguments = {
        "project": project,
        "entity": entity,
        "dir": directory,
        "id": run_id(path),
        "name": name or path.resolve().name,
        "group": group or sweep(path),
        "resume": "allow",
    }
    run = start_run(mode, arguments, finish_timeout)
    if getattr(run, "sweep_id", None) and run.id != arguments["id"]:  # `wandb agent` has given the run an id of its own
        write_text(path / ID_FILE, run.id)
    logger = RunLogger(path, project, run, earlier, finish_timeout, describe_setting(path, choices or {}), checkpoints)
    logger.describe(EPOCH_KEYS, [*(choice for choice in (choices or {}).values() if choice), *tags])
    return logger


def check_project(key: str, project: Any) -> None:
    """Raises ValueError where W&B would take no project of that name: before anything is trained."""
    if not isinstance(project, str) or not 1 <= len(project) <= LONGEST_PROJECT or set(project) & set(NOT_IN_PROJECTS):
        hint = ""
        if isinstance(project, str) and project.count("/") == 1:
            entity, _, name = project.partition("/")
            hint = f": the team is given apart, {key.replace('project', 'entity')}={entity} {key}={name}"
        raise ValueError(
            f"{key}={project} must be a name of 1 to {LONGEST_PROJECT} letters without {' '.join(NOT_IN_PROJECTS)}{hint}"
        )


def run_id(directory: Path) -> str:
    """The W&B id of this run directory, made up at its first use; raises ValueError where the file holds none."""
    path = directory / ID_FILE
    if not path.is_file():
        write_text(path, "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8)))
    kept = path.read_text().strip()
    if not re.fullmatch(r"[\w-]{1,128}", kept):
        raise ValueError(f"{path} holds no id of a W&B run: {kept[:40]!r}")
    return kept


def sweep(directory: Path) -> str | None:
    """The name of the sweep that this run is a job of: Hydra leaves multirun.yaml in the sweep's directory."""
    parent = directory.resolve().parent
    return parent.name if (parent / "multirun.yaml").is_file() else None


def describe_setting(directory: Path, choices: Mapping[str, str | None]) -> str:
    """What a run is but for its seed: the chosen model and compat and, in a sweep, what else varies from job to job."""
    words = [choices.get("model"), choices.get("compat")]
    if sweep(directory):
        name = directory.resolve().name  # `run` where nothing varies
        words += [pair for pair in name.split("+") if pair != "run" and not pair.startswith(("model-", "compat-", "seed-"))]
    return " ".join(word for word in words if word)


def start_run(asked: str, arguments: dict[str, Any], finish_timeout: int, key: str = "logger.wandb.mode") -> Any:
    """The W&B run in the mode that was asked for by `key`, or, with "auto", in the best that is possible; says which."""
    mode, why = (asked, "") if asked != "auto" else _choose_mode()
    if mode == "online":
        before = parts(Path(arguments["dir"]))
        try:
            if not has_login():
                raise ValueError(NO_LOGIN)
            run = _init("online", arguments, finish_timeout)
            log.info("W&B: online, %s", run.url)
            return run
        except Exception as error:  # W&B raises one of many things
            why = reason(error)
            abandon()  # it would not begin the same run again
            if asked == "online":
                raise ValueError(f"{key}=online: {why}") from error
            for part in set(parts(Path(arguments["dir"]))) - set(before):
                shutil.rmtree(part)  # of a run that did not begin
            mode = "offline"
    if mode == "offline":
        try:
            run = _init("offline", arguments, finish_timeout)
            unsent = f"{shlex.quote(arguments['dir'])}/wandb/offline-run-*"
            log.info("W&B: offline%s; upload later with: wandb sync %s", f" ({why})" if why else "", unsent)
            return run
        except Exception as error:
            why = reason(error)
            abandon()
            if asked == "offline":
                raise ValueError(f"{key}=offline: {why}") from error
    log.warning("W&B: off (%s); the files on disk are complete without it", why)
    return _init("disabled", {}, finish_timeout)


def _init(mode: str, arguments: dict[str, Any], finish_timeout: int) -> Any:
    import wandb

    if mode != "disabled":  # some of its messages heed only the settings of the process
        wandb.setup(wandb.Settings(**BOUNDED, **QUIET))
    settings = wandb.Settings(**PRIVATE, **BOUNDED, **QUIET, finish_timeout=finish_timeout)
    return wandb.init(mode=mode, settings=settings, **arguments)  # pyright: ignore[reportArgumentType] one of MODES


def _choose_mode() -> tuple[str, str]:
    """What mode=auto is, and why, where that is not plain."""
    if asked := os.environ.get("WANDB_MODE"):
        checks.require_choice("WANDB_MODE", asked, ("online", "offline", "disabled"))
        return asked, f"WANDB_MODE={asked}"
    try:
        return ("online" if has_login() else "offline"), ""
    except Exception as error:
        return "offline", reason(error)
