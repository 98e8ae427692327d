"""The files of a run, parsed: as lta writes them, and with an end for whatever else lies there under their names."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from lta.runtime.plain_yaml import parse_yaml


class Unusable(Exception):
    """Why something can't be reported, in words."""


def read_json_mapping(path: Path) -> dict[str, Any]:
    """Raises Unusable."""
    return _read_mapping(path, json.loads)


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """Raises Unusable."""
    return _read_mapping(path, parse_yaml)


def _read_mapping(path: Path, parse: Callable[[str], Any]) -> dict[str, Any]:
    if not path.is_file():  # reading a pipe would wait for ever
        raise Unusable(f"it has no {path.name}")
    try:
        found = parse(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise Unusable(f"{path.name} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise Unusable(f"{path.name} is broken: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(found, dict):
        raise Unusable(f"{path.name} holds no settings, but {type(found).__name__}")
    return found
