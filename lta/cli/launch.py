"""How a command starts, and how it ends: in one line where the user can mend what went wrong. Imports no torch."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any, cast

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

import lta
import lta.cli.resolvers  # registers what conf/config.yaml asks for
from lta.checks import RunError
from lta.cli.commands import RUN, groups_of, label_choices
from lta.cli.errors import describe_error, is_user_error
from lta.cli.kinds import list_training_data
from lta.cli.memory import name_needed_memory
from lta.cli.plugins import CONF, check_distinct_choices, complaints, conf_roots, root_of, use_config_dirs
from lta.cli.quoting import quote_arguments
from lta.cli.resolvers import find_run_directory, is_directory_given, keep_current_directory
from lta.cli.search_path import register_with_hydra
from lta.cli.trust import Trust, check_dotted, trust_in, use_trust
from lta.runtime import ranks
from lta.runtime.console import keep_writing
from lta.runtime.given_weights import use_weights
from lta.runtime.run_directory import remove_unbegun
from lta.runtime.signals import Stopped, requeue, signals

ENVIRONMENT: dict[str, str] = {}
"""What the program was started with, and what the jobs of a sweep get."""

HYDRA_FLAGS = {
    "-h",
    "--help",
    "--hydra-help",
    "--version",
    "-c",
    "--cfg",
    "--resolve",
    "-p",
    "--package",
    "-r",
    "--run",
    "-m",
    "--multirun",
    "-sc",
    "--shell-completion",
    "-cp",
    "--config-path",
    "-cn",
    "--config-name",
    "-cd",
    "--config-dir",
    "--experimental-rerun",
    "-i",
    "--info",
}

NAMES_CODE = re.compile(r"""[.{,\s]["']?(_target_|\(\))["']?\s*[:=]""")
"""A setting of Hydra itself by which it would call something (`()` does in the settings of logging)."""

CONFIG_DIR = ("-cd", "--config-dir")

REFUSED = {
    "--experimental-rerun": "it unpickles its file, which can run any code; give resume=RUN to continue a run",
    **dict.fromkeys(("-cp", "--config-path"), "Hydra would call what that folder names; give -cd FOLDER to add your own"),
}
"""Flags of Hydra by which a folder or file that somebody sent would have code called before lta could look at it."""

TAKE_WORDS = HYDRA_FLAGS - {"-h", "--help", "--hydra-help", "--version", "--resolve", "-r", "--run", "-m", "--multirun"}
"""Those that the next word on the command line may belong to."""


def launch(
    task: Callable[[DictConfig], None],
    config_name: str = RUN,
    lists: Sequence[str] = ("evaluator",),
    sweeps: bool = True,
    add_saved: Callable[[Sequence[str]], list[str]] = list,
) -> None:
    """Composes the configuration from the command line and calls `task` with it; ends errors in one line, status 1.

    `a=x,y` is read as `a=[x,y]` for the keys in `lists`, also in a sweep: no job is to be run once for each of them. Paths
    are taken as they are typed. In a sweep (refused unless `sweeps`) the other jobs go on after one that failed.
    `HYDRA_FULL_ERROR=1` shows the traceback instead. `add_saved`: of the arguments, those with settings that only a saved
    configuration has (lta.cli.own_data).
    """
    keep_writing()
    sys.argv[1:] = _make_config_dir_absolute(sys.argv[1:])
    use_config_dirs(find_config_dirs(sys.argv[1:]))
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(_render_help(config_name))
        return
    if "--version" in sys.argv[1:]:
        print(f"lta {lta.__version__}, Hydra {hydra.__version__}")
        return
    full_error = os.environ.get("HYDRA_FULL_ERROR")
    failed = []

    @wraps(task)  # the sweep launcher starts the module that the task is of
    def run_task(cfg: DictConfig) -> None:
        _restore("HYDRA_FULL_ERROR", full_error)
        keep_current_directory()
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            _run_foreign_job(task, cfg)
        else:
            with (
                _print_errors(failed, config_name),
                use_trust(_check_trust(cfg)),
                use_weights(cfg.get("weights")),
                name_needed_memory(cfg),
            ):
                task(cfg)

    ENVIRONMENT.clear()
    ENVIRONMENT.update(os.environ)
    started = ranks.is_started_by_lightning()
    if started:
        ranks.end_with_parent()
    with signals.catch(tell=os.getppid() if started else None), _print_stop_once(), _print_errors(failed, config_name):
        arguments = quote_arguments(add_saved(_move_flags_first(sys.argv[1:], sweeps)), lists)
        sys.argv[1:] = [_bracket_list(argument, (*lists, "trust")) for argument in arguments]
        if ranks.is_first():
            for line in complaints():
                print(line, file=sys.stderr)
        check_distinct_choices(conf_roots())
        register_with_hydra()
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands its exceptions over instead of printing them
        try:
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(run_task)()
        finally:
            _restore("HYDRA_FULL_ERROR", full_error)
            use_config_dirs([])
    if failed:
        sys.exit(1)


def _check_trust(cfg: DictConfig) -> Trust:
    """What the command trusts; raises ValueError where the composed configuration names other code."""
    # In a job of submitit there is no command line to ask.
    listed = cast(Any, HydraConfig.get().runtime.config_sources)
    sources = cast("list[dict[str, str]]", OmegaConf.to_container(listed, resolve=False))
    folders = [source["path"] for source in sources if source["provider"] == "command-line"]
    use_config_dirs(folders)
    try:
        trust = trust_in(conf_roots()).also(check_dotted(cfg.get("trust")))
        config = cast("dict[str, Any]", OmegaConf.to_container(cfg, resolve=True, throw_on_missing=False))
        trust.check(config)
    except ValueError:
        if ranks.is_first() and HydraConfig.get().job.config_name == RUN and not is_directory_given():
            remove_unbegun(find_run_directory())
        raise
    return trust


def find_config_dirs(arguments: Sequence[str]) -> list[str]:
    """The folder that `-cd` names, of several the last, as Hydra takes it; [] where none is given."""
    given = [value for flag, value in _flags_with_values(arguments) if flag in CONFIG_DIR]
    return given[-1:]


def _make_config_dir_absolute(arguments: Sequence[str]) -> list[str]:
    """Other processes of this run, and commands that are printed to be copied, may start in another folder."""
    changed, before = [], ""
    for argument in arguments:
        flag, equals, value = argument.partition("=")
        if before in CONFIG_DIR:
            argument = str(root_of(argument).path)
        elif flag in CONFIG_DIR and equals:
            argument = f"{flag}={root_of(value).path}"
        changed.append(argument)
        before = argument
    return changed


def _flags_with_values(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    for before, argument in zip(["", *arguments], arguments, strict=False):
        flag, equals, value = argument.partition("=")
        if before in TAKE_WORDS:
            yield before, argument
        elif flag in TAKE_WORDS and equals:
            yield flag, value


def _run_foreign_job(task: Callable[[DictConfig], None], cfg: DictConfig) -> None:
    """In this process or, by submitit, in another: such launchers collect what their jobs raise, without its cause."""
    try:
        with signals.catch(), use_trust(_check_trust(cfg)):
            task(cfg)
    except Exception as error:
        if is_user_error(error):
            raise RunError(describe_error(error)) from error
        raise


@contextmanager
def _print_stop_once() -> Iterator[None]:
    try:
        yield
    except Stopped as stopped:
        if ranks.is_first():
            with suppress(OSError):  # the terminal may be what went away
                print(stopped, file=sys.stderr)
            if stopped.number == signal.SIGUSR1 and "SLURM_JOB_ID" in os.environ:
                requeue()
        raise


@contextmanager
def _print_errors(failed: list[Exception], config_name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or not is_user_error(error):
            raise
        print(f"error: {describe_error(error, config_name)}", file=sys.stderr)
        failed.append(error)


def _render_help(config_name: str) -> str:
    """The command's help text with the groups it chooses from, and their choices. Hydra's own takes a second: it loads
    every file several times."""
    text = (CONF / f"{config_name}_help.txt").read_text()
    listed = {group: label_choices(group) for group in groups_of(config_name)}
    if config_name == RUN:  # there are other data, without training images, to look at
        trained_on = list_training_data()
        listed["data"] = {name: label for name, label in listed["data"].items() if name in trained_on}
    shown = (f"{group}: {', '.join(map(_mark_origin, names.items()))}" for group, names in listed.items())
    return text.replace("GROUPS", "\n    ".join(shown)).rstrip()


def _mark_origin(choice: tuple[str, str]) -> str:
    name, label = choice
    return f"{name} ({label})" if label else name


def _bracket_list(argument: str, keys: Sequence[str]) -> str:
    """`evaluator=a,b` as `evaluator=[a,b]`."""
    key, _, value = argument.partition("=")
    return f"{key}=[{value}]" if key in keys and "," in value and value[0] not in "[{('\"" else argument


def _move_flags_first(arguments: Sequence[str], sweeps: bool) -> list[str]:
    """Hydra's parser answers an unknown flag, and settings before a flag and behind it, with its whole usage."""
    flags, settings_given = [], []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        flag, equals, _ = argument.partition("=")
        of_flag = before in TAKE_WORDS and (before in CONFIG_DIR or not equals) and not argument.startswith("-")
        if not flag or not (equals or argument.startswith(("-", "~")) or of_flag):
            shown = argument or "''"
            raise RunError(f"{shown}: settings are given as key=value, for example recipe.epochs=5; see --help")
        if flag.startswith("-") and flag not in HYDRA_FLAGS:
            raise RunError(f"{flag} is unknown: settings are given as key=value, for example recipe.epochs=5; see --help")
        if flag in REFUSED:
            raise RunError(f"{flag} is not supported: {REFUSED[flag]}")
        if flag in ("-m", "--multirun") and not sweeps:
            raise RunError(f"{flag} is for sweeps of lta.run; several checkpoints are given as checkpoint=one,other")
        if argument == "hydra.run.dir=":
            raise RunError("hydra.run.dir= must name a directory")
        if flag.lstrip("+~").startswith("hydra") and NAMES_CODE.search(argument):
            raise RunError(f"{argument}: only yaml files can choose code that Hydra itself calls")
        (flags if flag.startswith("-") or of_flag else settings_given).append(argument)
    return [*flags, *settings_given]


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
