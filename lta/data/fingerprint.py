"""Which pictures and masks were in which part of a data set, kept with what was trained on them; what has changed since."""

import base64
import os
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from lta.data.contents import make_digest, to_token
from lta.data.errors import DataError
from lta.protocols import Splits

PARTS = ("train", "val", "test")
MASKS = "masks"

Fingerprint = Mapping[str, Int64[np.ndarray, "pictures 2"]]
"""By part of the data set the pictures' numbers, of names and of contents (`lta.data.batches.Split.ids`). As MASKS, of all
pictures with a mask, those of names and of what is drawn; not there in a record of an earlier version."""


def make_ids(names: Sequence[str], tokens: Int64[np.ndarray, " files"]) -> Int64[np.ndarray, "files 2"]:
    """Of files: `names` with folders, below what the data set's root is; `tokens` of what they hold."""
    return np.stack([np.array([name_token(name) for name in names], np.int64), tokens], 1)


def make_official_ids(data_set: str, count: int) -> Int64[np.ndarray, "pictures 2"]:
    """Of files whose content is checked when they are read: a picture is known by its position in `data_set`."""
    numbers = np.arange(count) + name_token(data_set)  # runs over silently, as it may
    return np.stack([numbers, numbers], 1)


def make_content_ids(images: UInt8[np.ndarray, "pictures height width 3"]) -> Int64[np.ndarray, "pictures 2"]:
    """Of pictures without names: each is known by its pixels."""
    tokens = np.array([to_token(make_digest(np.ascontiguousarray(image).data)) for image in images], np.int64)
    return np.stack([tokens, tokens], 1)


def name_token(name: str) -> int:
    """A file's name as one integer, the same on all systems and in each Unicode form."""
    plain = unicodedata.normalize("NFC", name.replace(os.sep, "/"))
    return to_token(make_digest(plain.encode(errors="surrogateescape")))


def take_fingerprint(data: Splits) -> Fingerprint | None:
    """Of a data module; None for one that doesn't say which pictures it holds (they are made, not read)."""
    splits = {part: getattr(data, part, None) for part in PARTS}  # anybody's module: what it lacks can't be checked
    ids = {part: getattr(split, "ids", None) for part, split in splits.items() if split is not None}
    found = {part: one for part, one in ids.items() if one is not None}
    if not found or len(found) < len(ids):
        return None
    masks = [(found[part], mask) for part in found if (mask := getattr(splits[part], "masks", None)) is not None]
    if any(one.tokens is None for _, one in masks):
        return found
    drawn = [np.stack([of[one.known, 0], one.tokens[one.rows[one.known]]], 1) for of, one in masks]
    return found | {MASKS: np.concatenate(drawn) if drawn else np.empty((0, 2), np.int64)}


def write_fingerprint(fingerprint: Fingerprint | None) -> dict[str, str] | None:
    """As plain text, for a checkpoint: 22 bytes a picture."""
    if fingerprint is None:
        return None
    return {part: base64.b64encode(ids.astype(">i8").tobytes()).decode() for part, ids in fingerprint.items()}


def read_fingerprint(written: Any) -> Fingerprint | None:
    """What `write_fingerprint` wrote; raises ValueError for anything else."""
    if written is None:
        return None
    try:
        raw = {part: base64.b64decode(written[part], validate=True) for part in (*PARTS, MASKS) if part in written}
        if "test" not in raw:
            raise ValueError("it has no test pictures")
        return {part: np.frombuffer(ids, ">i8").astype(np.int64).reshape(-1, 2) for part, ids in raw.items()}
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"its record of the training data can't be read: {error}") from error


def digest_fingerprint(data: Splits) -> str | None:
    """A word that is another one when any picture of the test set is, or the mask of one; None where that isn't known."""
    if (fingerprint := take_fingerprint(data)) is None:
        return None
    test, masks = fingerprint["test"], fingerprint.get(MASKS)
    drawn = b"" if masks is None else np.unique(masks[np.isin(masks[:, 0], test[:, 0])], axis=0).tobytes()
    return make_digest(np.unique(test, axis=0).tobytes() + drawn).hex()[:16]


class Change(NamedTuple):
    """What is not as it was: numbers of pictures, and the names (tokens, where there are some) of one of each kind.

    `trained_on`: those that are in test and were in train or val, by name or by content, and were not in test. `masks`:
    those whose mask was added, taken out or drawn anew.
    """

    added: Int64[np.ndarray, " added"]
    missing: Int64[np.ndarray, " missing"]
    moved: Int64[np.ndarray, " moved"]
    changed: Int64[np.ndarray, " changed"]
    trained_on: Int64[np.ndarray, " pictures"]
    masks: Int64[np.ndarray, " masks"]

    def describe(self, file_names: Sequence[str] = ()) -> str:
        """In a few words; "" where nothing is another. Pictures are named where `file_names` holds them."""
        known = {name_token(name): name for name in file_names} if any(map(len, self)) else {}
        kinds = {
            "added": self.added,
            "missing": self.missing,
            "in another part": self.moved,
            "with another content": self.changed,
            "with another mask": self.masks,
        }
        said = []
        for kind, names in ((kind, found.tolist()) for kind, found in kinds.items()):
            first = next((known[name] for name in names if name in known), None)
            more = ", ..." if len(names) > 1 else ""
            said += [f"{len(names)} {kind}" + (f" ({first}{more})" if first else "")] if names else []
        return ", ".join(said)


def compare_fingerprints(before: Fingerprint, now: Fingerprint, same_names: bool = True) -> Change:
    """`same_names`: whether a name means the same picture in both, as in one data set."""
    then, here = (
        {name: (part, content) for part in PARTS if part in one for name, content in one[part].tolist()}
        for one in (before, now)
    )
    both = then.keys() & here.keys()
    seen = np.concatenate([before[part] for part in ("train", "val") if part in before])
    tested, test = before["test"], now["test"]
    columns = (0, 1) if same_names else (1,)
    was_seen, was_tested = (
        np.any([np.isin(test[:, column], ids[:, column]) for column in columns], axis=0) for ids in (seen, tested)
    )
    return Change(
        added=_sort(here.keys() - then.keys()),
        missing=_sort(then.keys() - here.keys()),
        moved=_sort(name for name in both if then[name][0] != here[name][0]),
        changed=_sort(name for name in both if then[name][1] != here[name][1]),
        trained_on=test[was_seen & ~was_tested, 0],
        masks=_compare_masks(before, now, both),
    )


def _compare_masks(before: Fingerprint, now: Fingerprint, names: Collection[int]) -> Int64[np.ndarray, " masks"]:
    """Of the pictures `names` those that have another mask, or one only before or only now."""
    if MASKS not in before or MASKS not in now:
        return _sort(())
    then, here = (dict(one[MASKS].tolist()) for one in (before, now))
    return _sort(name for name in names if then.get(name) != here.get(name))


def _sort(names: Iterable[int]) -> Int64[np.ndarray, " names"]:
    return np.array(sorted(names), np.int64)


def check_unchanged(written: Any, data: Splits) -> str:
    """What to say before training goes on with `data`: "" where all is as it was when `written` was. Raises DataError, in
    one line, where it is not."""
    now, before = take_fingerprint(data), read_fingerprint(written)
    if now is None:
        return ""
    if before is None:
        return UNKNOWN
    change = compare_fingerprints(before, now)
    if said := change.describe(getattr(data, "file_names", ())):
        raise DataError(
            f"the pictures have changed since the run began: {said}; put them back as they were, or start a new run"
        )
    return ""


def check_untrained(written: Any, data: Splits, same_names: bool) -> str:
    """What to say before a trained network is asked about `data`: what has changed in its own data set (`same_names`) since
    `written` was. Raises DataError where pictures of test were trained on, which is only said of data sets that are made to
    be looked at, and with `on_shared="allow"`."""
    now, before = take_fingerprint(data), read_fingerprint(written)
    if now is None:
        return ""
    if before is None:
        return UNKNOWN if same_names else ""
    change = compare_fingerprints(before, now, same_names)
    file_names = getattr(data, "file_names", ())
    if count := len(change.trained_on):
        first = {name_token(name): name for name in file_names}.get(int(change.trained_on[0]))
        named = f" ({first}{', ...' if count > 1 else ''})" if first else ""
        said = f"{count} of {len(now['test'])} test pictures{named} were in training or validation"
        if getattr(data, "on_shared", "error" if same_names else "allow") == "error":
            why = " (the data have changed since)" if same_names else ""
            raise DataError(f"{said}{why}: put them back as they were, or evaluate on other data (data=...)")
        return f"{said}: figures for these pictures do not say how well the network does on new ones"
    said = change.describe(file_names) if same_names else ""
    return f"the data have changed since training: {said}; no test picture was trained on" if said else ""


UNKNOWN = (
    "lta can't check whether the data have changed: an older version wrote the checkpoint, without a list of its pictures"
)
