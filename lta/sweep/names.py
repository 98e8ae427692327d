"""What the directories of a sweep are called: the same for the same command, in whatever order it is given.

A name stands unquoted on the command line (`resume=multirun/seed_1a2b3c4d/seed-0`), so it has no `=`, comma or bracket.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

LONGEST = 150
"""Characters of a job's name: file systems take 255, and libraries add to it."""


def sweep_name(constant: Mapping[str, str], swept: Collection[str]) -> str:
    """Of the sweep over the keys `swept`: the same whatever their values, so that a sweep can be extended.

    Values that are chosen by a pattern are part of the name; such a key is given as `key=pattern`.
    """
    keys = sorted(swept)
    settings = sorted(f"{key}={value}" for key, value in constant.items())
    title = "+".join(_make_title(*key.lstrip("+").partition("=")) for key in keys)[:100]
    return f"{title or 'run'}_{_digest([*keys, '', *settings])}"


def job_name(varying: Mapping[str, str]) -> str:
    """Of the job with these values of what varies, by key: `compat-pc+seed-0`; `run` where nothing varies.

    What had to be replaced or cut is made up for by a hash.
    """
    if not varying:
        return "run"
    pairs = sorted((key.lstrip("+"), value) for key, value in varying.items())
    exact = "+".join(f"{key}-{value}" for key, value in pairs)
    name = "+".join(f"{_sanitise_text(key)}-{_sanitise_text(value)}" for key, value in pairs)
    if name == exact and len(name) <= LONGEST:
        return name
    digest = _digest(f"{key}={value}" for key, value in pairs)
    return f"{name[: LONGEST - len(digest) - 1]}-{digest}"


def check_distinct(names: Sequence[str]) -> None:
    """Raises ValueError where two jobs would run in one directory."""
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ValueError(f"{Counter(names)[twice[0]]} jobs of this sweep are the same, {twice[0]}: a value is given twice")


def _make_title(key: str, _: str, pattern: str) -> str:
    return "-".join(part for part in (_sanitise_text(key), _sanitise_text(pattern).strip("_")) if part)


def _sanitise_text(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", text)


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]
