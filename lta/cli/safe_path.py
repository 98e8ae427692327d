"""Where Python looks for modules while a command runs: not in folders that somebody may have sent.

Called by each command before anything is imported that lies outside lta (Hydra imports every `hydra_plugins` package it
finds, Lightning imports `wandb`). So this module and `path_settings` need nothing but `os` and `sys`,
which Python has loaded by itself.
"""

import os
import sys

from lta.cli.path_settings import RUNS, read_texts

OWN_CODE = ("-cd", "--config-dir", "trust=", "--trust")
"""How arguments begin that name code of the user's own."""


def clean_import_path(arguments: list[str]) -> None:
    """Takes out of `sys.path` what lies in a run directory or beside a checkpoint that `arguments` name, and the current
    directory, unless lta itself is imported from it, or `arguments` name own code and it is in no folder that they read.

    Folders of the interpreter (its prefix) and the one that lta is in always stay.
    """
    here = os.path.realpath(os.getcwd())
    own = os.path.realpath(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    kept = {os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    runs = [folder for key, value in _settings(arguments) if key in RUNS for folder in _folders(value)]
    read = [folder for _, value in _settings(arguments) for folder in _folders(value)]
    names_own_code = any(argument.startswith(OWN_CODE) for argument in arguments)
    here_stays = here == own or (names_own_code and not any(_is_inside(here, folder) for folder in read))

    def stays(entry: str) -> bool:
        folder = os.path.realpath(entry or here)
        if folder == own or any(_is_inside(folder, prefix) for prefix in kept):
            return True
        if folder == here:
            return here_stays
        return not any(_is_inside(folder, run) for run in runs)

    sys.path[:] = [entry for entry in sys.path if stays(entry)]


def _settings(arguments: list[str]) -> list[tuple[str, str]]:
    pairs = (argument.partition("=") for argument in arguments if "=" in argument)
    return [(key.lstrip("+"), value) for key, _, value in pairs if key not in ("trust", "--config-dir", "-cd")]


def _folders(value: str) -> list[str]:
    """Of what exists by the names in `value`: the folder, or the one that the file is in; of a run's checkpoint, the run."""
    found = []
    for name in filter(None, (value, *read_texts(value))):
        path = os.path.realpath(os.path.expanduser(name))
        if not os.path.exists(path):
            path = _before_pattern(name)
        if path is None:
            continue
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        found.append(os.path.dirname(folder) if os.path.basename(folder) == "checkpoints" else folder)
    return found


def _before_pattern(name: str) -> str | None:
    """Of a pattern, the folder in which its names are looked for."""
    signs = [name.index(sign) for sign in "*?[" if sign in name]
    folder = os.path.realpath(os.path.dirname(name[: min(signs)]) or ".") if signs else None
    return folder if folder and os.path.isdir(folder) else None


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
