"""The folders that configuration comes from: lta's conf/, those of installed packages, and `-cd`. Imports no torch.

A package takes part by an entry point in the group `lta.conf`, whose value is the name of a top-level package with a folder
conf/ in it. The package is not imported to find it.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import lta
from lta.checks import RunError

PACKAGE = Path(lta.__file__).resolve().parent
CONF = PACKAGE / "conf" if (PACKAGE / "conf").is_dir() else PACKAGE.parent / "conf"
"""Inside the package in a wheel, beside it in a checkout."""

ENTRY_POINTS = "lta.conf"


class ConfRoot(NamedTuple):
    """A folder of configuration groups. `label` names it to users ("" is lta's own); `own` are the top-level packages that
    its files may name (None: any)."""

    label: str
    path: Path
    own: frozenset[str] | None = None

    def owns(self, path: Path) -> bool:
        """Of a package, what a link brings in from outside is no part."""
        return self.own is None or path.resolve().is_relative_to(self.path.resolve())

    def files(self, group: str = "") -> Iterator[Path]:
        """Its yaml files, or those of one group."""
        for folder, folders, names in os.walk(self.path / group):
            folders.sort()
            paths = (Path(folder) / name for name in sorted(names) if name.endswith(".yaml"))
            yield from (path for path in paths if self.owns(path))

    def choices(self, group: str) -> list[str]:
        """Names of the choices of `group` in this folder, sorted."""
        return sorted(path.stem for path in (self.path / group).glob("*.yaml") if self.owns(path))


LTA = ConfRoot("", CONF)

_config_dirs: list[ConfRoot] = []


def use_config_dirs(folders: Sequence[str | Path]) -> None:
    """What the running command was given by `-cd`."""
    _config_dirs[:] = [root_of(folder) for folder in folders]


def config_dirs() -> list[Path]:
    """The folders of this command's `-cd`."""
    return [root.path for root in _config_dirs]


def root_of(folder: str | Path) -> ConfRoot:
    """The root that `-cd folder` adds; its files may name code of any package."""
    path = Path(folder).expanduser().absolute()
    return ConfRoot(f"-cd {path}", path)


def conf_roots() -> list[ConfRoot]:
    """Of this command: lta's, those of installed packages by name, and those given by `-cd`."""
    return [LTA, *installed_roots(), *_config_dirs]


def check_distinct_choices(roots: Sequence[ConfRoot]) -> None:
    """Raises RunError where two roots have the same choice, of which Hydra would take one without a word."""
    seen: dict[str, Path] = {}
    for root in roots:
        for file in root.files():
            choice = file.relative_to(root.path).as_posix()
            if choice in seen:
                raise RunError(f"{choice.removesuffix('.yaml')} is both in {seen[choice]} and in {file}: rename one of them")
            seen[choice] = file


def installed_roots() -> tuple[ConfRoot, ...]:
    """The roots of installed packages with an entry point in the group `lta.conf`."""
    return _installed()[0]


def complaints() -> tuple[str, ...]:
    """What is wrong with installed packages, a line each: they are left out, and nothing else stops."""
    return _installed()[1]


@cache
def _installed() -> tuple[tuple[ConfRoot, ...], tuple[str, ...]]:
    roots, wrong = [], []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: (point.value, point.name)):
        if _lies_in_current_directory(point.dist):
            continue
        found = _conf_of(point)
        if isinstance(found, str):
            wrong.append(f"left out: entry point {point.name} = {point.value!r} in {ENTRY_POINTS}: {found}")
        elif found.label not in {root.label for root in roots}:
            roots.append(found)
            links = [path for path in sorted(found.path.rglob("*")) if path.is_symlink() and not found.owns(path)]
            wrong += [f"left out: {path} is a link to somewhere outside {found.label}'s conf" for path in links]
    return tuple(roots), tuple(wrong)


def _conf_of(point: EntryPoint) -> ConfRoot | str:
    """The conf/ of the package, or why there is none."""
    name = point.value
    if not name.isidentifier():
        return "it must be the name of a top-level package"
    try:
        spec = find_spec(name)  # of a top-level name: nothing is imported
    except (ImportError, ValueError) as error:
        return str(error)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        return f"there is no package {name}"
    folder = next((Path(place) / "conf" for place in places if (Path(place) / "conf").is_dir()), None)
    if folder is None:
        return f"{name} has no folder conf"
    return ConfRoot(name, folder.resolve(), frozenset({name, *_packages_of(point.dist)}))


def _packages_of(distribution: Distribution | None) -> set[str]:
    """Names of the top-level packages and modules that the distribution's own record lists."""
    if distribution is None:
        return set()
    parts = (file.parts for file in distribution.files or () if file.suffix == ".py")
    return {part[0].removesuffix(".py") for part in parts if part[0] not in ("..", "hydra_plugins")}


def _lies_in_current_directory(distribution: Distribution | None) -> bool:
    """Metadata in the folder that one stands in may be anybody's: installed packages lie elsewhere."""
    return distribution is not None and Path(str(distribution.locate_file(""))).resolve() == Path.cwd().resolve()


VERSIONED = {
    "lta",
    "torch",
    "torchvision",
    "pytorch_lightning",
    "lightning",
    "torchmetrics",
    "hydra",
    "wandb",
    "numpy",
    "sklearn",
}
"""Libraries whose version every run records (lta: a hash of its own)."""


def find_own_code(config: Any) -> list[Path]:
    """Files and folders of the code that `config` names by `_target_` beside lta and the libraries it records: of a package
    of `lta.conf` all that its distribution has; and the yaml files that this command's `-cd` brings. Nothing is imported.
    """
    names = {name.partition(".")[0] for name in _iter_targets(config)} - VERSIONED - set(sys.stdlib_module_names)
    for root in installed_roots():
        own = root.own or frozenset()
        names |= own if names & own else set()
    places: list[Path] = []
    for name in sorted(names):
        spec = find_spec(name)
        if spec is not None:
            folders = [Path(place) for place in spec.submodule_search_locations or ()]
            places += folders or ([Path(spec.origin)] if spec.origin else [])
    return places + [file for root in _config_dirs for file in root.files()]


def _iter_targets(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        if isinstance(target := node.get("_target_"), str):
            yield target
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for value in node:
            yield from _iter_targets(value)
