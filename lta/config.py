"""How a command starts, which settings go together, and where runs and sweeps lie. Imports no torch."""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from lta import checks, processes
from lta.commands import COMMANDS, CONF, PARTS, RUN, choices, groups_of
from lta.messages import RunError, is_users, one_line
from lta.run_directory import CHECKPOINTS, FREE, difference
from lta.spelling import hint
from lta.stopping import Stopped, requeue, signals
from lta.sweep.names import job_name, sweep_name

log = logging.getLogger(__name__)

RESUME_MAY_CHANGE = ("trainer=", "trainer.")
"""What a resumed run may be told beside its directory: where it runs, not what it computes."""

ENVIRONMENT: dict[str, str] = {}
"""What the program was started with, and what the jobs of a sweep get."""

HYDRA_FLAGS = {
    "-h", "--help", "--hydra-help", "--version", "-c", "--cfg", "--resolve", "-p", "--package", "-r", "--run", "-m",
    "--multirun", "-sc", "--shell-completion", "-cp", "--config-path", "-cn", "--config-name", "-cd", "--config-dir",
    "--experimental-rerun", "-i", "--info",
}  # fmt: skip

TAKE_WORDS = HYDRA_FLAGS - {"-h", "--help", "--hydra-help", "--version", "--resolve", "-r", "--run", "-m", "--multirun"}
"""Those that the next word on the command line may belong to."""


def launch(
    task: Callable[[DictConfig], None], config_name: str = RUN, lists: Sequence[str] = ("evaluator",),
    sweeps: bool = True,
) -> None:  # fmt: skip
    """Composes the configuration from the command line and calls `task` with it; ends errors in one line, status 1.

    Outside a sweep `a=x,y` is read as `a=[x,y]` for the keys in `lists`. In a sweep (refused unless `sweeps`) the other
    jobs go on after one that failed. `HYDRA_FULL_ERROR=1` shows the traceback instead.
    """
    if {"--help", "-h"} & set(sys.argv[1:]):
        _print_to_whoever_reads(_help(config_name))
        return
    full_error = os.environ.get("HYDRA_FULL_ERROR")
    failed = []

    @wraps(task)  # the sweep launcher starts the module that the task is of
    def composed(cfg: DictConfig) -> None:
        _restore("HYDRA_FULL_ERROR", full_error)
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            _job_of_another_launcher(task, cfg)
        else:
            with _errors_in_one_line(failed, config_name):
                task(cfg)

    ENVIRONMENT.clear()
    ENVIRONMENT.update(os.environ)
    started = processes.is_started_by_lightning()
    if started:
        processes.end_with_parent()
    with signals.handled(tell=os.getppid() if started else None), _said_once(), _errors_in_one_line(failed, config_name):
        sys.argv[1:] = _flags_first(sys.argv[1:], sweeps)
        if not {"-m", "--multirun"} & set(sys.argv[1:]):
            sys.argv[1:] = [_listed(argument, lists) for argument in sys.argv[1:]]
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands its exceptions over instead of printing them
        try:
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(composed)()
        finally:
            _restore("HYDRA_FULL_ERROR", full_error)
    if failed:
        sys.exit(1)


def _print_to_whoever_reads(text: str) -> None:
    """`... --help | head` reads a part of it."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more when it ends


def _job_of_another_launcher(task: Callable[[DictConfig], None], cfg: DictConfig) -> None:
    """In this process or, by submitit, in another: such launchers collect what their jobs raise, without its cause."""
    try:
        with signals.handled():
            task(cfg)
    except Exception as error:
        if is_users(error):
            raise RunError(one_line(error)) from error
        raise


@contextmanager
def _said_once() -> Iterator[None]:
    try:
        yield
    except Stopped as stopped:
        if processes.is_first():
            with suppress(OSError):  # the terminal may be what went away
                print(stopped, file=sys.stderr)
            if stopped.number == signal.SIGUSR1 and "SLURM_JOB_ID" in os.environ:
                requeue()
        raise


@contextmanager
def _errors_in_one_line(failed: list[Exception], config_name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or not is_users(error):
            raise
        print(f"error: {one_line(error, config_name)}", file=sys.stderr)
        failed.append(error)


def _help(config_name: str) -> str:
    """The command's help text with the groups it chooses from, and their choices. Hydra's own takes a second: it loads
    every file several times."""
    text = (CONF / f"{config_name}_help.txt").read_text()
    listed = {group: choices(group) for group in groups_of(config_name)}
    if config_name == RUN:  # there are other data, without training images, to look at
        listed["data"] = choices("data/with_recipe/fast")
    shown = (f"{group}: {', '.join(names)}" for group, names in listed.items())
    return text.replace("GROUPS", "\n    ".join(shown)).rstrip()


def _listed(argument: str, keys: Sequence[str]) -> str:
    """`evaluator=a,b` as `evaluator=[a,b]`."""
    key, _, value = argument.partition("=")
    return f"{key}=[{value}]" if key in keys and "," in value and value[0] not in "[{('\"" else argument


def _flags_first(arguments: Sequence[str], sweeps: bool) -> list[str]:
    """Hydra's parser answers an unknown flag, and settings before a flag and behind it, with its whole usage."""
    flags, settings_given = [], []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        flag, equals, _ = argument.partition("=")
        of_flag = before in TAKE_WORDS and not equals and not argument.startswith("-")
        if not flag or not (equals or argument.startswith(("-", "~")) or of_flag):
            shown = argument or "''"
            raise RunError(f"{shown}: settings are given as key=value, for example recipe.epochs=5; see --help")
        if flag.startswith("-") and flag not in HYDRA_FLAGS:
            raise RunError(f"{flag} is unknown: settings are given as key=value, for example recipe.epochs=5; see --help")
        if flag in ("-m", "--multirun") and not sweeps:
            raise RunError(f"{flag} is for sweeps of lta.run; several checkpoints are given as checkpoint=one,other")
        if argument == "hydra.run.dir=":
            raise RunError("hydra.run.dir= must name a directory")
        (flags if flag.startswith("-") or of_flag else settings_given).append(argument)
    return [*flags, *settings_given]


def settings_of(command: str, cfg: DictConfig) -> DictConfig:
    """What such a command was told; raises RunError where something was asked for that nothing there reads."""
    parts, chosen = COMMANDS[command]
    for override in HydraConfig.get().overrides.task:
        key = override.lstrip("+~").partition("=")[0].partition(".")[0]
        if key not in parts:
            raise RunError(f"{override}: lta.{command} does not read {key}; it reads {', '.join(parts)}")
    if chosen and not cfg[chosen[0]]:
        raise RunError(f"{chosen[0]}=... must be given; choose one or more of {', '.join(choices(chosen[0]))}")
    return cfg


def settings(cfg: DictConfig) -> DictConfig:
    """The configuration that this run uses: as composed, or that of the run named by `resume`, read from its folder.

    Raises RunError where something was asked for that nothing reads.
    """
    if unknown := set(cfg) - PARTS:
        meant = hint(min(unknown)) or f"; the settings are {', '.join(sorted(PARTS))}"
        raise RunError(f"there is no setting {min(unknown)}{meant}")
    for part in ("compat", "head"):
        if part in cfg and part not in cfg.model:
            raise RunError(f"{part} is not used by this model, which has no attention")
    if cfg.resume == "auto" or (cfg.resume is None and HydraConfig.get().mode == RunMode.MULTIRUN):
        return _begun_or_new(cfg)
    if cfg.resume is None:
        return cfg
    _run_directory(cfg.resume, fresh="")
    asked = [override for override in HydraConfig.get().overrides.task if not override.startswith("resume=")]
    if Path(HydraConfig.get().runtime.output_dir).resolve() != Path(cfg.resume).resolve():
        raise RunError(f"resume={cfg.resume} goes on in its own directory, one run at a time: no -m and no hydra.run.dir")
    refused = [override for override in asked if not override.startswith(RESUME_MAY_CHANGE)]
    if refused:
        raise RunError(
            f"{refused[0]} can't be given with resume={cfg.resume}: a resumed run keeps its own configuration "
            "(allowed beside it: trainer=... and trainer.*=...)"
        )
    saved = OmegaConf.create(_saved(Path(cfg.resume) / "config.yaml"))
    if any(override.startswith("trainer=") for override in asked):
        dropped = {key: value for key, value in saved.trainer.items() if cfg.trainer.get(key) != value}
        if dropped:
            told = ", ".join(f"{key} was {value}" for key, value in dropped.items())
            log.info("resume: another trainer than the run had until now: %s", told)
        saved.trainer, asked = cfg.trainer, []
    for override in asked:
        key, _, value = override.partition("=")
        if OmegaConf.select(saved, key) is None:
            raise RunError(f"{override}: the run in {cfg.resume} has no setting {key}")
        OmegaConf.update(saved, key, yaml.safe_load(value))
    saved.resume = cfg.resume
    return saved


def check(cfg: DictConfig) -> None:
    """Raises ValueError where a setting of the run itself can't be."""
    checks.whole("seed", cfg.seed)
    checks.flag("test_each_epoch", cfg.test_each_epoch)
    checks.choice("test_checkpoint", cfg.test_checkpoint, CHECKPOINTS)
    if not cfg.callbacks.get(f"{cfg.test_checkpoint}_checkpoint"):
        raise ValueError(f"test_checkpoint={cfg.test_checkpoint} needs callbacks.{cfg.test_checkpoint}_checkpoint")


def directory_given() -> bool:
    """Whether the run's directory was named, and not made up for it."""
    return any(override.startswith("hydra.run.dir=") for override in HydraConfig.get().overrides.hydra)


def _begun_or_new(cfg: DictConfig) -> DictConfig:
    """`resume` becomes the run's directory where that already holds this very run, else None."""
    hydra_config = HydraConfig.get()
    directory = Path(hydra_config.runtime.output_dir)
    if hydra_config.mode == RunMode.RUN and not directory_given():
        raise RunError("resume=auto goes on in a directory that stays the same: give hydra.run.dir=...")
    path = directory / "config.yaml"
    begun = path.is_file()
    if begun and (found := difference(_saved(path), plain(cfg))):
        key, there, here = found
        raise RunError(f"{directory} holds a run of another configuration: {key} is {there} there, {here} here")
    cfg.resume = str(directory) if begun else None
    return cfg


def _saved(path: Path) -> Any:
    try:
        return plain(OmegaConf.load(path))
    except yaml.YAMLError as error:
        raise RunError(f"{path} can't be read: {error}") from error


def constant_and_swept(overrides: Sequence[str], params: Mapping[str, Any] | None) -> tuple[dict[str, str], set[str]]:
    """Of a sweep: what is the same in all its jobs, as value by key, and the keys of what varies.

    `overrides` are those of the command line, `params` the sweeper's own, which they replace. A glob is `key=pattern`.
    """
    constant, swept = {}, {}
    lines = [f"{key}={value}" for key, value in (params or {}).items()]
    for override in OverridesParser.create().parse_overrides([*lines, *overrides]):
        key = override.get_key_element()
        constant.pop(key, None)
        swept.pop(key, None)
        value = override.value()
        if isinstance(value, Glob):
            swept[key] = f"{key}={','.join([*value.include, *(f'!{pattern}' for pattern in value.exclude)])}"
        elif override.is_sweep_override():
            swept[key] = key
        else:
            constant[key] = override.get_value_element_as_str()
    return constant, set(swept.values())


def plain(cfg: Any) -> Any:
    """Resolved, in plain dicts and lists."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


def build(node: Any, *args: Any, **kwargs: Any) -> Any:
    """`hydra.utils.instantiate`, lists and dicts as plain containers."""
    return hydra.utils.instantiate(node, *args, _convert_="all", **kwargs)


def _run_directory(resume: str | None, fresh: str) -> str:
    if resume in (None, "auto"):
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return fresh
        from lta.torchrun import agreed

        return agreed(fresh)
    directory = Path(resume)
    if directory.is_file():
        run = directory.parent.parent if directory.parent.name == "checkpoints" else "RUN"
        raise RunError(f"resume={resume} is a file: resume={run}, the run's directory, goes on from its last checkpoint")
    if not directory.is_dir():
        raise RunError(f"resume={resume}: there is no such directory")
    if not (directory / "config.yaml").is_file():
        raise RunError(f"resume={resume} is no run directory: it has no config.yaml")
    return str(directory)


def _of_sweep(overrides: Sequence[str], params: Mapping[str, Any] | None) -> dict[str, Any]:
    constant, swept = constant_and_swept(overrides, params)
    return {"constant": constant, "swept": sorted(swept)}


def _sweep_directory(sweep: Mapping[str, Any]) -> str:
    computed = {key: value for key, value in sweep["constant"].items() if key.lstrip("+").partition(".")[0] not in FREE}
    return f"multirun/{sweep_name(computed, sweep['swept'])}"


def _job_directory(overrides: Sequence[str], sweep: Mapping[str, Any]) -> str:
    pairs = (override.partition("=") for override in overrides)
    return job_name({key: value for key, _, value in pairs if key not in sweep["constant"]})


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


for _name, _resolver, _cached in (
    ("run_dir", _run_directory, False),
    ("log_name", processes.log_name, False),
    ("log_level", lambda: "INFO" if processes.is_first() else "WARNING", False),
    ("of_sweep", _of_sweep, True),  # cached: a job, which varies nothing itself, has what its sweep has found
    ("sweep_dir", _sweep_directory, False),
    ("job_dir", _job_directory, False),
):
    OmegaConf.register_new_resolver(f"lta.{_name}", _resolver, replace=True, use_cache=_cached)
