"""`python -m lta.dashboard`: save the W&B dashboard of a project, or print what would be saved."""

import sys
from typing import Any

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

import os
from collections.abc import Sequence

from lta.checks import RunError
from lta.cli.errors import describe_error, is_user_error
from lta.cli.plugins import CONF
from lta.cli.trust import drop_trust
from lta.runtime.console import keep_writing

DEFAULTS: dict[str, str | None] = {"project": "lta", "entity": None, "name": "lta"}
FLAGS = ("--dry-run", "--json", "--help", "-h")


def parse_settings(arguments: Sequence[str]) -> dict[str, Any]:
    """The settings of a command line; raises RunError where one can't be."""
    settings = dict(DEFAULTS)
    for argument in drop_trust(arguments):
        key, equals, value = argument.partition("=")
        if argument in FLAGS:
            continue
        if key.startswith("-"):
            raise RunError(f"{argument} is unknown; the flags are {', '.join(FLAGS)}")
        if not equals or key not in settings:
            raise RunError(f"{argument}: lta.dashboard reads {', '.join(f'{name}=...' for name in settings)}; see --help")
        settings[key] = None if value == "null" else value
        if not settings[key] and DEFAULTS[key]:
            raise RunError(f"{argument}: give a name after =")
        if "/" in value:
            raise RunError(f"{argument} has a slash; give project and entity separately: entity=somebody project=lta")
    return settings


def dashboard(arguments: Sequence[str]) -> None:
    """Runs `lta dashboard`: prints or saves the view. Raises RunError for settings that it does not have."""
    if {"--help", "-h"} & set(arguments):
        print((CONF / "dashboard_help.txt").read_text().rstrip())
        return
    settings = parse_settings(arguments)
    # Imported here: `--help` needs none of it.
    from lta.dashboard.panels import outline
    from lta.dashboard.workspace import save, spec

    if "--json" in arguments:
        print(spec(**settings))
    elif "--dry-run" in arguments:
        entity = settings["entity"] or "the login's own entity"
        print(f"would be saved: the view {settings['name']!r} of project {settings['project']}, {entity}\n{outline()}")
    else:
        print(f"saved: {save(**settings)}")


if __name__ == "__main__":
    keep_writing()
    try:
        dashboard(sys.argv[1:])
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1" or not is_user_error(error):
            raise
        print(f"error: {describe_error(error)}", file=sys.stderr)
        sys.exit(1)
