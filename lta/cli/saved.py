"""The gate for a configuration that was read from a run directory or a checkpoint, which anybody may have sent. Whoever
builds something of one takes it from here. Names are held against `lta.cli.trust`; shapes and arguments are checked here.

Imports no torch.
"""

import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from lta.cli.migrate import migrate_config, read_config
from lta.cli.trust import Trust, current_trust
from lta.runtime.plain_yaml import DEEPEST, TOO_DEEP

log = logging.getLogger(__name__)

PARTS = ("model", "data", "preprocess", "augment", "recipe", "loss")
"""What a network and its data are built of; each names a class or function."""

NESTS = ("callbacks", "logger", "evaluator", "default_evaluators")
"""What else a run is made of: nodes by name, of which any may be null."""

MOST = 100_000
"""Values in a configuration; lta's have some hundreds."""

PLAIN = (str, int, float, bool, type(None))

UPLOADS = ("model_registry",)
"""Options of Lightning's trainer by which it would send a model somewhere."""


def accept_config(config: Any, origin: str | Path, trust: Trust | None = None) -> dict[str, Any]:
    """The parts of a checkpoint's configuration that are built, checked, and as today's version would have written them.

    Raises ValueError where they are not what lta writes, or would have anything else called than what `trust` allows.
    """
    check_plain(config, origin)
    config = migrate_config(_require_mapping(config, "its configuration", origin))
    (trust or current_trust()).check(config, origin, (*PARTS, "seed"))
    _check_shapes(config, origin)
    return config


def read_whole_config(path: Path) -> dict[str, Any]:
    """A run's config.yaml, of which everything may be built, checked in the same way; raises ValueError."""
    config = read_config(path)
    current_trust().check(config, path)
    _check_shapes(config, path)
    for nest in NESTS:
        for name, node in _require_mapping(config.get(nest) or {}, nest, path).items():
            if node is not None:
                _check_node(node, f"{nest}.{name}", path)
    _check_node(config.get("trainer"), "trainer", path)
    if asked := next((key for key in UPLOADS if config["trainer"].get(key)), None):
        raise ValueError(f"{path} sets trainer.{asked}, which would upload the network: lta does not take this from a file")
    return {**config, **{part: withhold_places(config[part], part, path) for part in PARTS}}


def read_logger_settings(path: Path, target: str, keys: Collection[str]) -> dict[str, Any] | None:
    """Of the config.yaml's logger that is made by `target`: those of `keys`; None where there is no such logger."""
    nodes = _require_mapping(read_config(path).get("logger") or {}, "logger", path)
    node = next((node for node in nodes.values() if isinstance(node, dict) and node.get("_target_") == target), None)
    if node is None:
        return None
    kept = {key: value for key, value in node.items() if key == "_target_" or key in keys}
    current_trust().check({"logger": {"kept": kept}}, path)
    return kept


def withhold_places(node: Any, key: str, origin: str | Path) -> Any:
    """The same without what only the user may decide: a folder to write to (`cache`), that something is downloaded, and the
    file that a backbone's weights are read from: a checkpoint has them, or says by their digest which they were."""
    if isinstance(node, list):
        return [withhold_places(value, key, origin) for value in node]
    if not isinstance(node, Mapping):
        return node
    held = {name: withhold_places(value, f"{key}.{name}", origin) for name, value in node.items()}
    if isinstance(held.get("cache"), str) and held["cache"] != "off":
        log.info("%s.cache: your own cache folder is used, not %s, which %s names", key, held["cache"], origin)
        held["cache"] = None
    if held.get("download"):
        held["download"] = False
    if key == "model.backbone" and held.get("weights") != "none":
        held["weights"] = "checkpoint"
        held.pop("sha256", None)
    return held


def check_plain(config: Any, origin: str | Path) -> None:
    """Raises ValueError where a nest holds anything but plain values, or more of them, or deeper ones, than any of lta's.

    Parts that several names share count as often as they are reached: so much work they would make.
    """
    for number, _ in enumerate(_walk(config, (), origin)):
        if number == MOST:
            raise ValueError(f"{origin}: its configuration has more than {MOST} values")


def _walk(node: Any, path: tuple[str, ...], origin: str | Path) -> Iterator[None]:
    yield
    if len(path) > DEEPEST:
        raise ValueError(f"{origin}: its configuration is {TOO_DEEP}")
    if isinstance(node, dict):
        for key, value in node.items():
            if not isinstance(key, str | int | float | bool):
                raise ValueError(
                    f"{origin} has the key {key!r} in {'.'.join(path) or 'its configuration'}; keys are text or numbers"
                )
            yield from _walk(value, (*path, str(key)), origin)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _walk(value, (*path, "[]"), origin)
    elif node == "???":
        raise ValueError(f"{origin} has no value for {'.'.join(path)} (???), and lta always writes one")
    elif not isinstance(node, PLAIN):
        raise ValueError(f"{origin} has a {type(node).__name__} for {'.'.join(path) or 'its configuration'}")


def _check_shapes(config: dict[str, Any], origin: str | Path) -> None:
    for part in PARTS:
        _check_node(config.get(part), part, origin)
    if bool(config["model"].get("_partial_")) is not True:
        raise ValueError(f"{origin}: its model must have _partial_: true, because lta passes the number of classes later")
    seed = config.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int | None):
        raise ValueError(f"{origin} has {seed!r} for seed, which must be a whole number")


def _check_node(node: Any, key: str, origin: str | Path) -> None:
    """Whether it names a class or function."""
    if not isinstance(_require_mapping(node, key, origin).get("_target_"), str):
        raise ValueError(f"{origin}: its {key} names no class or function (it has no _target_)")
    if key not in ("model", "loss") and node.get("_partial_"):  # a loss may be a function
        raise ValueError(f"{origin}: its {key} has _partial_, which only a model or a loss may have")


def _require_mapping(node: Any, key: str, origin: str | Path) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise ValueError(f"{origin} has {type(node).__name__} for {key}, where settings are expected")
    return node
