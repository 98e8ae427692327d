"""What a user can get wrong in a command, said in one line. Imports no torch."""

import errno
import re
import shutil
import sys
from pathlib import Path

import yaml
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from lta.cli.commands import RUN, list_choices, list_groups
from lta.cli.kinds import list_fitting_data
from lta.cli.path_settings import unquote
from lta.cli.plugins import conf_roots
from lta.cli.suggestions import describe_owners, describe_unknown_setting, list_nearest, suggest_choice, suggest_setting

EXTRAS = {"optuna": "optuna", "submitit_slurm": "slurm", "submitit_local": "slurm"}
"""Plugins of Hydra by the extra that brings them."""


def describe_error(error: BaseException, config_name: str = RUN) -> str:
    """What went wrong, as one line: the cause where a library has wrapped it, and the key where it is known.

    `config_name` is that of the command's configuration.
    """
    text = str(error)
    if isinstance(error, OSError) and error.filename and error.strerror:
        return _describe_file_error(error)
    if (match := re.search(r"got an unexpected keyword argument '(\w+)'", text)) and (
        key := _find_added_key(match[1], text)
    ):
        return f"there is no setting {key}{describe_unknown_setting(key, config_name)}"
    if match := re.search(r"Ambiguous value for argument '(.*)'", text):
        sweep = "a sweep over them needs -m; " if config_name == RUN else ""
        return f"{match[1]} gives several values where one is expected ({sweep}a list is written [one,other])"
    if match := re.search(r"Multiple values for (\S+)\. To override a value use 'override \S+ (.*)'", text):
        return _describe_second_choice(match[1], match[2])
    if match := re.search(r"(\S+) appears more than once in the final defaults list", text):
        return _describe_second_choice(match[1], "...")
    if match := re.search(
        r"In '(?:data|recipe/kind)/([^']+)': Could not find 'recipe/kind/([^'/]+)/(?:on/)?([^'/]+)'", text
    ):
        return _describe_unfit_data(match[2], *match.group(1, 3))
    if match := re.search(r"Could not find '([^']+)/([^'/]*)'\s+Available options in '[^']+':\s*((?:\n?\t[^\n]+)+)", text):
        group, choice, listed = match[1], match[2], match[3].split()
        if choice in EXTRAS:
            return f"{group}={choice} needs: pip install lta[{EXTRAS[choice]}]"
        return f"{group}={choice} is unknown{suggest_choice(choice, listed)}; {list_nearest(choice, listed)}"
    if match := re.search(r"Could not override '(\w+)'\. No match in the defaults list", text):
        return _describe_unused_group(match[1], text)
    if match := re.search(r"Could not override '([^']+)'", text):
        return _describe_missing_setting(match[1], "={" in text, config_name)
    if match := re.search(r"Could not delete from config\. '([^']+)' does not exist", text):
        return f"~{match[1]}: there is no setting {match[1]}{describe_unknown_setting(match[1], config_name)}"
    if "Config group override must be a string or a list" in text:
        chosen = (argument for argument in sys.argv if argument.partition("=")[0] in list_groups())
        odd = next((argument for argument in chosen if argument.partition("=")[2] in ("null", "")), "a group")
        return f"{odd}: a choice is needed here; choose one of {', '.join(list_choices(odd.partition('=')[0]))}"
    if match := re.search(r"Interpolation key '([^']+)' not found", text):
        return f"this configuration reads the setting {match[1]}, which does not exist"
    if match := re.search(r"Missing mandatory value: (\S+)", text):
        whole = re.search(r"full_key: (\S+)", text) or match
        return f"{whole[1]} must be given"
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


def _describe_missing_setting(given: str, has_entries: bool, config_name: str) -> str:
    """A setting that this configuration has not, or, of one that `has_entries`, this entry."""
    key = given.lstrip("+")
    if like := suggest_setting(key, config_name):
        return f"there is no setting {given} here: {like}"
    or_else = ", or it has no such entry" if has_entries else ""
    if swept := _find_swept_groups():
        or_else += f"; if each {' and '.join(swept)} of the sweep has it, give it as ++{key}=..."
    return f"there is no setting {given} here{or_else}; {describe_owners(key, config_name) or '--cfg job prints them all'}"


def _describe_file_error(error: OSError) -> str:
    """With the setting that names the file, or a folder that it is in."""
    file = Path(str(error.filename)).absolute()
    given = {argument: unquote(argument.partition("=")[2]) for argument in sys.argv[1:] if _gives_a_value(argument)}
    named = {argument: Path(value).absolute() for argument, value in given.items()}
    holding = {argument: place for argument, place in named.items() if place == file or place in file.parents[:-1]}
    holding = {argument: place for argument, place in holding.items() if place == file or place != Path.cwd()}
    why = str(error.strerror)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        disk = next(folder for folder in (file, *file.parents) if folder.is_mount())
        why += f" (the disk mounted at {disk}, {shutil.disk_usage(disk).free / 1e6:.0f} MB free)"
    if not holding:
        return f"{error.filename}: {why}"
    asked = max(holding, key=lambda argument: len(holding[argument].parts))
    return f"{asked}: {why}" if holding[asked] == file else f"{asked}: {error.filename}: {why}"


def _gives_a_value(argument: str) -> bool:
    return re.match(r"[\w+][^=]*=.", argument) is not None


def _find_added_key(name: str, text: str) -> str | None:
    """The key of a setting that nothing takes, as Hydra's error or the command line has it."""
    if of := re.search(r"full_key: (\S+)", text):
        return f"{of[1]}.{name}"
    keys = (argument.lstrip("+").partition("=")[0] for argument in sys.argv[1:] if argument.startswith("+"))
    parents = (key[: key.index(f".{name}")] for key in keys if f".{name}." in f"{key}.")
    parent = next(parents, None)
    return None if parent is None else f"{parent}.{name}"


def _describe_second_choice(group: str, choice: str) -> str:
    return f"+{group}={choice} adds a second choice; {group}={choice} replaces the present one"


def _describe_unfit_data(recipe: str, asking: str, missing: str) -> str:
    """`asking`: the data set, whose kind is `missing`, or the recipe's file for a kind, where it is the data set."""
    data, kind = (missing, asking.rpartition("/")[2]) if "/" in asking else (asking, missing)
    fitting = list_fitting_data(recipe)
    known = ", ".join(fitting) if fitting else f"none (those for {kind} would be in recipe/kind/{recipe}/{kind}.yaml)"
    return f"recipe={recipe} does not go with data={data}; it has settings for {known}"


def _find_swept_groups() -> list[str]:
    """Hydra composes a sweep's own configuration without them, so it knows no setting that only they have."""
    pairs = (argument.partition("=") for argument in sys.argv)
    return [key for key, _, value in pairs if key in list_groups() and re.search(r"^[^\[].*[,(]", value)]


def _describe_unused_group(group: str, text: str) -> str:
    choice = re.search(rf"\+{group}=(\S+)", text)
    asked = f"{group}={choice[1]}" if choice else group
    if group not in list_groups():
        return f"{asked}: there is no group {group}; the groups are {', '.join(list_groups())}"
    paths = (path for root in conf_roots() for path in sorted(root.path.glob("*/*.yaml")) if root.owns(path))
    files = {path: path.read_text() for path in paths}
    reading = [path for path, content in files.items() if f"/{group}@_global_.{group}:" in content]
    based = [path for path, content in files.items() if any(f"\n  - {base.stem}\n" in content for base in reading)]
    owners = sorted({*reading, *based})
    if not owners:
        return f"{asked}: this command does not use {group}"
    owner, fitting = owners[0].parent.name, ", ".join(path.stem for path in owners)
    chosen = next((argument for argument in sys.argv if argument.startswith(f"{owner}=")), f"the chosen {owner}")
    return f"{asked} is not used by {chosen}; it goes with {owner}={fitting}"


def is_user_error(error: BaseException) -> bool:
    """Whether the message is meant for the user: assertions and the like are ours and keep their traceback."""
    if isinstance(error, TypeError):
        return "unexpected keyword argument" in str(error)  # a key added with + that the target does not take
    libraries = type(error).__name__ in ("MisconfigurationException", "OutOfMemoryError")
    return libraries or isinstance(error, (HydraException, OmegaConfBaseException, ValueError, OSError, yaml.YAMLError))
