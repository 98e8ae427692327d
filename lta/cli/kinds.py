"""Which data sets can be trained on, and with which recipes: what their files in conf/ ask for. Imports no torch.

A data set names its *kind* of pictures in a line of its defaults, `/recipe/kind@_global_: ${recipe}/photographs`, and a
recipe says in `recipe/kind/RECIPE/KIND.yaml` what goes with that kind. Or a data set chooses preprocessing and augmentation
itself, `/preprocess@_global_.preprocess: standardize`, whatever the recipe.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from lta.cli.commands import list_choices
from lta.cli.plugins import conf_roots

KIND = "/recipe/kind"


def list_training_data() -> list[str]:
    """The data sets that a network can be trained on; the others are only looked at."""
    return [name for name in list_choices("data") if _find_kind(name) or _chooses_itself(name)]


def list_fitting_data(recipe: str) -> list[str]:
    """Those of them that go with `recipe`."""
    return [name for name in list_training_data() if _fits(name, recipe)]


def _fits(data: str, recipe: str) -> bool:
    kind = _find_kind(data)
    if kind is None:
        return True
    file = f"recipe/kind/{recipe}/{kind}"
    by_data = [group for group, choice in _read_defaults(file) if choice == "${data}"]  # a file for each data set it knows
    return all(_find(asked) for asked in (file, *(f"{group.strip('/')}/{data}" for group in by_data)))


def _find_kind(data: str) -> str | None:
    choices = [choice for group, choice in _read_data_defaults(data) if group == KIND]
    return choices[0].removeprefix("${recipe}/") if choices else None


def _chooses_itself(data: str) -> bool:
    return any(group == "/preprocess" for group, _ in _read_data_defaults(data))


def _read_data_defaults(data: str) -> list[tuple[str, Any]]:
    """Its own, and those of the data sets that it is based on."""
    own = list(_read_defaults(f"data/{data}"))
    based_on = [choice for group, choice in own if not group and choice != "_self_" and choice != data]
    return [*own, *(pair for base in based_on for pair in _read_data_defaults(base))]


def _find(file: str) -> Path | None:
    """In whichever folder of configuration it is."""
    paths = ((root, root.path / f"{file}.yaml") for root in conf_roots())
    return next((path for root, path in paths if path.is_file() and root.owns(path)), None)


def _read_defaults(file: str) -> Iterator[tuple[str, Any]]:
    """Group (without the package that it goes to; "" for a file beside this one) and choice."""
    path = _find(file)
    content = (yaml.safe_load(path.read_text()) if path else None) or {}
    for entry in content.get("defaults", ()):
        for key, choice in entry.items() if isinstance(entry, dict) else [("", entry)]:
            yield key.split()[-1].partition("@")[0] if key else "", choice
