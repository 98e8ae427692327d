"""YAML as lta writes it: no aliases, no tags, no depth, so that no short file stands for a lot of memory or time."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import yaml
from yaml import events

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

DEEPEST = 40
"""Levels of a configuration; lta's have five. What is nested a thousand times deeper ends a recursion, or the process."""

TOO_DEEP = f"nested deeper than {DEEPEST} levels"

LONGEST = 1000
"""Bits of a whole number: a longer one is no float."""


def parse_yaml(text: str) -> Any:
    """Aliases and tags are refused: lta writes none, and a few lines of them can stand for any amount of memory.

    Raises ValueError or yaml.YAMLError.
    """
    try:
        return _build_document(iter(Loader(text).get_event, None))
    except yaml.MarkedYAMLError as error:
        if error.problem == "exceeded maximum nesting depth":  # libyaml from 0.2.6 on reads ahead into a limit of its own
            raise ValueError(TOO_DEEP) from error
        raise


def _build_document(parsed: Iterable[Any]) -> Any:
    """What yaml.safe_load makes of them, in half of its time, as most scalars of most runs are the same."""
    stack: list[list[Any]] = [[]]
    for event in parsed:
        kind = type(event)
        if kind is events.ScalarEvent:
            stack[-1].append(_parse_scalar(event.value) if event.implicit[0] else event.value)
        elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
            if len(stack) == DEEPEST:
                raise ValueError(TOO_DEEP)
            stack.append([])
        elif kind is events.MappingEndEvent:
            items = stack.pop()
            stack[-1].append(_build_mapping(items[::2], items[1::2]))
        elif kind is events.SequenceEndEvent:
            items = stack.pop()
            stack[-1].append(items)
        elif kind is events.AliasEvent:
            raise ValueError(f"it has an alias (*{event.anchor}), which lta never writes")
        elif kind is events.DocumentStartEvent and stack[0]:
            raise ValueError("it holds several documents")
        if getattr(event, "tag", None) not in (None, "!"):
            raise ValueError(f"it has a tag ({event.tag}), which lta never writes")
    return stack[0][0] if stack[0] else None


def _build_mapping(keys: list[Any], values: list[Any]) -> dict[Any, Any]:
    try:
        return dict(zip(keys, values, strict=True))
    except TypeError as error:
        raise ValueError("it has a list or a mapping for a key") from error


@lru_cache(maxsize=10_000)
def _parse_scalar(text: str) -> Any:
    if text == "<<":  # merges an alias, which is refused when it comes
        return text
    loader = yaml.SafeLoader("")
    value = loader.construct_object(yaml.ScalarNode(loader.resolve(yaml.ScalarNode, text, (True, False)), text))
    if isinstance(value, int) and value.bit_length() > LONGEST:
        raise ValueError(f"a number of {value.bit_length()} bits")
    return value
