"""What a configuration may have called. A checkpoint, a run directory, a command copied from somewhere: they may come from
anywhere, so the names in them are held against lists that come from what is installed and from the command itself.

Trusted are the exact `_target_` strings in lta's conf/, in the conf/ of installed packages (there those inside the package's
own distribution), in the yaml files of this command's `-cd`, each in the group whose files hold it; and the names given by
`trust=` on this command. Nothing is trusted because of what a run directory says. Imports no torch.
"""

import itertools
import re
import shlex
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lta.checks import RunError
from lta.cli.path_settings import PATHS
from lta.cli.plugins import ConfRoot, conf_roots, config_dirs, root_of

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


class Trust(NamedTuple):
    """`by_group`: names that may be called, by the group of conf/ whose files hold them. `inserts`: by group, those other
    groups whose choice its files insert under another key (`scorer: ${compat}`). `holds`: by group, those in whose place its
    files have something under their own key (`compat: ${compat}`). `nested`: of a group's names, those that its files have
    as an argument of another. `anywhere`: what `trust=` gives.
    """

    by_group: Mapping[str, frozenset[str]]
    inserts: Mapping[str, frozenset[str]]
    holds: Mapping[str, frozenset[str]]
    nested: Mapping[str, frozenset[str]]
    anywhere: frozenset[str] = frozenset()

    def also(self, names: Sequence[str] = (), config_dir: str | Path | None = None) -> "Trust":
        """With `names` in every group, and with what the yaml files in `config_dir` name."""
        trust = self._replace(anywhere=self.anywhere | set(check_dotted(names)))
        if config_dir is None:
            return trust
        if not Path(config_dir).is_dir():
            raise ValueError(f"config_dir={config_dir}: there is no such folder")
        more = trust_in((root_of(config_dir),), frozenset(self.by_group))
        return Trust(
            _joined(trust.by_group, more.by_group),
            _joined(trust.inserts, more.inserts),
            _joined(trust.holds, more.holds),
            _joined(trust.nested, more.nested),
            trust.anywhere,
        )

    def check(self, config: Mapping[str, Any], origin: str | Path | None = None, parts: Sequence[str] | None = None) -> None:
        """Raises ValueError where `config` names something else, or, in what was read from `origin`, holds a `${...}`
        that is no part of a path. `parts` are those that are looked at; `origin` None: the command line's."""
        for part in config if parts is None else parts:
            texts = list(_texts(config.get(part), (str(part),)))
            calls = {path[:-1] for path, _ in texts if path[-1] == "_target_"}
            for path, text in texts:
                if path[-1] == "_target_":
                    self._check_name(path[:-1], text, origin, is_argument=_is_argument(path[:-1], calls, self.by_group))
                elif "_args_" in path:
                    where = f"{'.'.join(path)}={text}" if origin is None else f"{origin} has {'.'.join(path)}"
                    raise ValueError(f"{where}: lta can't check arguments without names; give each by its name")
                elif origin is not None and "${" in text and ".".join(path) not in PATHS:
                    raise ValueError(f"{origin} holds {text}, which OmegaConf would evaluate, so it is not loaded")

    def _check_name(self, path: tuple[str, ...], name: str, origin: str | Path | None, is_argument: bool) -> None:
        groups = _groups_in(path, self.by_group)
        group = groups[-1] if groups else None
        inside = all(inner in self.holds.get(outer, ()) for outer, inner in itertools.pairwise(groups))
        allowed = (self.nested if is_argument else self.by_group)[group] if group and inside else frozenset()
        if group and inside and path[-1] != group:
            allowed |= frozenset().union(*(self.by_group[other] for other in self.inserts.get(group, ())))
        if name in allowed or name in self.anywhere:
            return
        asks = f"{'.'.join(path)}._target_={name}" if origin is None else f"{origin} asks for {name} ({'.'.join(path)})"
        names = ",".join(sorted({*self.anywhere, name}))
        conf, does = (
            (group or "...", "names it" + " there" * is_argument) if inside else (groups[-2], f"has one of {group} in it")
        )
        raise ValueError(
            f"{asks}: no conf/{conf} of lta, of an installed package or of -cd {does}, so it is not "
            f"{'called' if origin is None else 'loaded'}; if you know this code, add {shlex.quote(f'trust={names}')}"
        )


def check_dotted(names: Any) -> list[str]:
    """What `trust=` was given, as a list; raises RunError for what is no name like `package.module.Class`."""
    given = [] if names is None else list(names) if isinstance(names, Sequence) and not isinstance(names, str) else [names]
    for name in given:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise RunError(f"trust={name} must be the full name of a class or function, like my_package.module.Class")
    return given


def drop_trust(arguments: Sequence[str]) -> list[str]:
    """`arguments` without `trust=...`, for a command that calls nothing which a run names: it takes the word as all commands
    do. Raises RunError as `check_dotted`."""
    for argument in arguments:
        if argument.startswith("trust="):
            check_dotted(argument.removeprefix("trust=").strip("[]").split(","))
    return [argument for argument in arguments if not argument.startswith("trust=")]


def trust_in(roots: Sequence[ConfRoot], groups: frozenset[str] = frozenset()) -> Trust:
    """What the yaml files of `roots` name. `groups` are known beside the folders in them."""
    groups = groups.union(*({path.name for path in root.path.iterdir() if path.is_dir()} for root in roots)) - {"hydra"}
    by_group: dict[str, set[str]] = {group: set() for group in groups}
    inserts: dict[str, set[str]] = defaultdict(set)
    holds: dict[str, set[str]] = defaultdict(set)
    nested: dict[str, set[str]] = {group: set() for group in groups}
    for root in roots:
        for file in root.files():
            text = file.read_text(encoding="utf-8")
            folder = file.relative_to(root.path).parts[0]
            if ("_target_" not in text and "${" not in text) or folder not in groups:
                continue
            texts = list(_texts(_parsed(file, text), (folder,)))
            calls = {path[:-1] for path, _ in texts if path[-1] == "_target_"}
            for path, value in texts:
                chain = _groups_in(path[:-1], by_group) or [folder]
                inserted = re.fullmatch(r"\$\{(\w+)\}", value)
                if path[-1] == "_target_":
                    if root.own is None or value.partition(".")[0] in root.own:
                        by_group[chain[-1]].add(value)
                        if _is_argument(path[:-1], calls, by_group):
                            nested[chain[-1]].add(value)
                elif inserted and inserted[1] in groups and inserted[1] == path[-1]:
                    chain.append(path[-1])
                elif inserted and inserted[1] in groups:
                    inserts[chain[-1]].add(inserted[1])
                for outer, inner in itertools.pairwise(chain):
                    holds[outer].add(inner)
    return Trust(_frozen(by_group), _frozen(inserts), _frozen(holds), _frozen(nested))


_current: list[Trust] = []


@contextmanager
def use_trust(trust: Trust) -> Iterator[None]:
    """Inside, `current_trust` is this: that of the command that runs."""
    before = _current[:]
    _current[:] = [trust]
    try:
        yield
    finally:
        _current[:] = before


def current_trust() -> Trust:
    """That of the running command; where Python code uses lta, what is installed."""
    return _current[0] if _current else _trust_in_installed(tuple(conf_roots()))


@cache
def _trust_in_installed(roots: tuple[ConfRoot, ...]) -> Trust:
    return trust_in(roots)


def repeat_own_code() -> str:
    """What a command given later needs to find and trust the same code: ` -cd FOLDER trust=NAMES`, or nothing."""
    words = [word for folder in config_dirs() for word in ("-cd", str(folder))]
    if names := sorted(current_trust().anywhere):
        words.append(f"trust={','.join(names)}")
    return "".join(f" {shlex.quote(word)}" for word in words)


def _texts(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every text in a nest of dicts and lists, with the keys that lead to it."""
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key == "_target_" and not isinstance(value, str):
                yield (*path, key), f"{value}"
            yield from _texts(value, (*path, str(key)))
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _texts(value, path)


def _is_argument(path: Sequence[str], calls: Collection[Sequence[str]], groups: Mapping[str, Any]) -> bool:
    """Whether what is called at `path` is an argument of another call of the same group; `calls` are the paths of all."""
    own = _groups_in(path, groups)
    outer = (tuple(path[:end]) for end in range(1, len(path)))
    return any(call in calls and _groups_in(call, groups) == own for call in outer)


def _groups_in(path: Sequence[str], groups: Mapping[str, Any]) -> list[str]:
    """Those keys that are names of groups, the outermost first: a model's `compat` is one of the group compat."""
    return [key for key in path if key in groups]


def _parsed(file: Path, text: str) -> Any:
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise RunError(f"{file} can't be read: {error}") from error


def _frozen(sets: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {key: frozenset(values) for key, values in sets.items()}


def _joined(one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    return {key: one.get(key, frozenset()) | other.get(key, frozenset()) for key in {*one, *other}}
