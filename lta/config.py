"""Where conf/ lies, how a command starts, which settings go together, and errors in one line. Imports no torch."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

PACKAGE = Path(__file__).resolve().parent
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
"""Inside the package in a wheel, beside it in a checkout."""

RESUME_MAY_CHANGE = ("trainer.",)
"""What a resumed run may be told beside its directory: where it runs, not what it computes."""


PARTS = {
    "seed", "test_checkpoint", "test_each_epoch", "resume", "model", "compat", "head", "data", "preprocess", "augment",
    "recipe", "schedule", "author", "trainer", "logger", "callbacks",
}  # fmt: skip
"""What a configuration consists of."""

HYDRA_FLAGS = {
    "-h", "--help", "--hydra-help", "--version", "-c", "--cfg", "--resolve", "-p", "--package", "-r", "--run", "-m",
    "--multirun", "-sc", "--shell-completion", "-cp", "--config-path", "-cn", "--config-name", "-cd", "--config-dir",
    "--experimental-rerun", "-i", "--info",
}  # fmt: skip


class RunError(ValueError):
    """What a user can get wrong, found where no other exception fits."""


def launch(task: Callable[[DictConfig], None], config_name: str = "config") -> None:
    """Composes the configuration from the command line and calls `task` with it; ends errors in one line, status 1.

    In a sweep the other jobs go on after one that failed. `HYDRA_FULL_ERROR=1` shows the traceback instead.
    """
    if {"--help", "-h"} & set(sys.argv[1:]):
        print(_help())
        return
    OmegaConf.register_new_resolver("lta.run_dir", _run_directory, replace=True)
    full_error = os.environ.get("HYDRA_FULL_ERROR")
    failed = []

    def composed(cfg: DictConfig) -> None:
        _restore("HYDRA_FULL_ERROR", full_error)
        with _errors_in_one_line(failed):
            task(cfg)

    with _errors_in_one_line(failed):
        _check_flags(sys.argv[1:])
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then hands its exceptions over instead of printing them
        try:
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(composed)()
        finally:
            _restore("HYDRA_FULL_ERROR", full_error)
    if failed:
        sys.exit(1)


@contextmanager
def _errors_in_one_line(failed: list[Exception]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        _stopped("Ctrl-C", 130)
    except SystemExit as end:
        # Lightning turns SIGTERM into an exception that would end in 0, and Ctrl-C into one that ends in 1 silently.
        if isinstance(end.__context__, KeyboardInterrupt):
            _stopped("Ctrl-C", 130)
        if type(end).__name__ == "SIGTERMException":
            _stopped("SIGTERM", 143)
        raise
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or not _is_users(error):
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)
        failed.append(error)


def _stopped(by: str, status: int) -> NoReturn:
    print(f"stopped by {by}; resume= goes on from the last complete epoch", file=sys.stderr)
    sys.exit(status)


def _help() -> str:
    """conf/help.txt with the groups and their choices. Hydra's own takes a second: it loads every file several times."""
    groups = (f"{group}: {', '.join(sorted(path.stem for path in (CONF / group).glob('*.yaml')))}" for group in _groups())
    return (CONF / "help.txt").read_text().replace("GROUPS", "\n    ".join(groups)).rstrip()


def _groups() -> list[str]:
    return sorted(path.name for path in CONF.iterdir() if path.is_dir() and path.name != "hydra")


def _check_flags(arguments: list[str]) -> None:
    """Hydra's parser answers an unknown flag with its whole usage; settings are no flags."""
    for argument in arguments:
        flag = argument.partition("=")[0]
        if flag.startswith("-") and flag not in HYDRA_FLAGS:
            raise RunError(f"{flag} is unknown: settings are given as key=value, for example recipe.epochs=5; see --help")


def settings(cfg: DictConfig) -> DictConfig:
    """The configuration that this run uses: as composed, or that of the run named by `resume`, read from its folder.

    Raises RunError where something was asked for that nothing reads.
    """
    if unknown := set(cfg) - PARTS:
        raise RunError(f"there is no setting {min(unknown)}; the settings are {', '.join(sorted(PARTS))}")
    for part in ("compat", "head"):
        if part in cfg and part not in cfg.model:
            raise RunError(f"{part} is not used by this model, which has no attention")
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
            f"(allowed beside it: {', '.join(prefix + '*' for prefix in RESUME_MAY_CHANGE)})"
        )
    path = Path(cfg.resume) / "config.yaml"
    try:
        saved = OmegaConf.load(path)
    except yaml.YAMLError as error:
        raise RunError(f"{path} can't be read: {error}") from error
    for override in asked:
        key, _, value = override.partition("=")
        if OmegaConf.select(saved, key) is None:
            raise RunError(f"{override}: the run in {cfg.resume} has no setting {key}")
        OmegaConf.update(saved, key, yaml.safe_load(value))
    saved.resume = cfg.resume
    return saved


def plain(cfg: Any) -> Any:
    """Resolved, in plain dicts and lists."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


def build(node: Any, *args: Any, **kwargs: Any) -> Any:
    """`hydra.utils.instantiate`, lists and dicts as plain containers."""
    return hydra.utils.instantiate(node, *args, _convert_="all", **kwargs)


def one_line(error: BaseException) -> str:
    """What went wrong, as one line: the cause where a library has wrapped it, and the key where it is known."""
    text = str(error)
    if match := re.search(r"Could not find '([^']+)/([^'/]+)'\s+Available options in '[^']+':\s*((?:\n?\t[^\n]+)+)", text):
        group, choice, listed = match.groups()
        return f"{group}={choice} is unknown; choose one of {', '.join(listed.split())}"
    if match := re.search(r"Could not find 'data/with_recipe/([^'/]+)/([^'/]+)'", text):
        recipe, data = match.groups()
        fitting = sorted(path.stem for path in (CONF / "data" / "with_recipe" / recipe).glob("*.yaml"))
        return f"recipe={recipe} does not go with data={data}; it has settings for {', '.join(fitting) or 'no data set'}"
    if match := re.search(r"Could not override '(\w+)'\. No match in the defaults list", text):
        return _unused_group(match[1], text)
    if match := re.search(r"Could not override '([^']+)'", text):
        entry = "" if "={" not in text else ", or it has no such entry"
        return f"there is no setting {match[1]} here{entry}; --cfg job prints them all"
    if "Config group override must be a string or a list" in text:
        chosen = (argument for argument in sys.argv if argument.partition("=")[0] in _groups())
        odd = next((argument for argument in chosen if argument.partition("=")[2] in ("null", "")), "a group")
        allowed = sorted(path.stem for path in (CONF / odd.partition("=")[0]).glob("*.yaml"))
        return f"{odd}: a choice is needed here; choose one of {', '.join(allowed)}"
    if match := re.search(r"Interpolation key '([^']+)' not found", text):
        return f"there is no setting {match[1]}, which this configuration reads"
    if match := re.search(r"Missing mandatory value: (\S+)", text):
        return f"{match[1]} must be given"
    if match := re.search(r"raised while resolving interpolation: (Error trying to access .*)", text):
        return match[1].strip()
    if match := re.search(r"RunError raised while resolving interpolation: (.*)", text):
        return match[1].strip()
    key = re.search(r"full_key: (\S+)", text)
    cause = error.__cause__
    while cause is not None and cause.__cause__ is not None and isinstance(cause, (HydraException, OmegaConfBaseException)):
        cause = cause.__cause__
    if isinstance(error, (HydraException, OmegaConfBaseException)) and cause is not None:
        text = str(cause)
        if key and not isinstance(cause, ValueError):
            text = f"{key[1]}: {text}"
    return re.sub(r"\s*\n\s*", " ", text.strip()) or type(error).__name__


def _unused_group(group: str, text: str) -> str:
    choice = re.search(rf"\+{group}=(\S+)", text)
    asked = f"{group}={choice[1]}" if choice else group
    if not (CONF / group).is_dir():
        return f"{asked}: there is no group {group}; the groups are {', '.join(_groups())}"
    files = {path: path.read_text() for path in sorted(CONF.glob("*/*.yaml"))}
    reading = [path for path, content in files.items() if f"/{group}@_global_.{group}:" in content]
    based = [path for path, content in files.items() if any(f"\n  - {base.stem}\n" in content for base in reading)]
    owners = sorted({*reading, *based})
    owner, fitting = owners[0].parent.name, ", ".join(path.stem for path in owners)
    chosen = next((argument for argument in sys.argv if argument.startswith(f"{owner}=")), f"the chosen {owner}")
    return f"{asked} is not used by {chosen}; it goes with {owner}={fitting}"


def _is_users(error: BaseException) -> bool:
    """Whether the message is meant for the user: assertions and the like are ours and keep their traceback."""
    if isinstance(error, TypeError):
        return "unexpected keyword argument" in str(error)  # a key added with + that the target does not take
    libraries = type(error).__name__ in ("MisconfigurationException", "OutOfMemoryError")
    return libraries or isinstance(error, (HydraException, OmegaConfBaseException, ValueError, OSError))


def _run_directory(resume: str | None, fresh: str) -> str:
    if resume is None:
        return fresh
    directory = Path(resume)
    if not directory.is_dir():
        raise RunError(f"resume={resume}: there is no such directory")
    if not (directory / "config.yaml").is_file():
        raise RunError(f"resume={resume} is no run directory: it has no config.yaml")
    return str(directory)


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
