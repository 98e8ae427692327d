"""Which settings name a path, or something else by its name, and how such a value is written on a command line.

`lta.cli.safe_path` reads this before anything may be imported from `sys.path`, so it needs nothing but `os`.
"""

import os

RUNS = ("checkpoint", "compare", "resume", "init_from", "hydra.run.dir", "hydra.sweep.dir", "evaluator.transfer.baseline")
"""Settings that name run directories and checkpoint files."""

PATHS = (
    *RUNS,
    "data.root",
    "data.cache",
    "data.labels",
    "evaluator.robustness.source",
    "images",
    "mask",
    "masks",
    "model.backbone.weights",
    "out",
    "weights",
)
"""All settings whose value is a path."""

NAMES = (
    "attention.query",
    "data.class_column",
    "data.class_name",
    "data.label_separator",
    "data.mask_column",
    "logger.wandb.entity",
    "logger.wandb.group",
    "logger.wandb.name",
    "logger.wandb.project",
    "logger.wandb.tags",
    "segmentation",
)
"""Those whose value is a name that somebody gives."""

LISTS = ("evaluator.transfer.baseline", "logger.wandb.tags")
"""Those of both that take several in each command that has them."""

QUOTES = "'\""


def find_end_of_quotes(text: str, start: int = 0) -> int:
    """The place behind the quoted part that begins at `start`, as Hydra reads it; -1 where it has no end."""
    place = start + 1
    while (place := text.find(text[start], place)) >= 0:
        before = text[start + 1 : place]
        if (len(before) - len(before.rstrip("\\"))) % 2 == 0:
            return place + 1
        place += 1
    return -1


def is_quoted(text: str) -> bool:
    """Whether all of it is one quoted string."""
    return text[:1] in (*QUOTES,) and find_end_of_quotes(text) == len(text)


def is_list(text: str) -> bool:
    """Whether a setting's value is written as a list, in brackets."""
    return len(text) > 1 and text[0] == "[" and text[-1] == "]"


def unquote(text: str) -> str:
    """The value that Hydra and OmegaConf read from a quoted string; any other text as it is."""
    if not is_quoted(text):
        return text
    quote, inner = text[0], text[1:]
    parts = inner.split(quote)
    for number, part in enumerate(parts[:-1]):  # a backslash counts only before a quote and before ${
        kept = part.rstrip("\\")
        slashes = len(part) - len(kept)
        parts[number] = kept + "\\" * (slashes // 2) + (quote if slashes % 2 else "")
    pieces = "".join(parts).split("${")
    for number, piece in enumerate(pieces[:-1]):
        kept = piece.rstrip("\\")
        pieces[number] = kept + "\\" * ((len(piece) - len(kept)) // 2)
    return "${".join(pieces)


def split_at_commas(text: str) -> list[str]:
    """The parts between commas; one in quotes or in brackets has none that count."""
    parts, start = [], 0
    while start <= len(text):
        begin = start + len(text[start:]) - len(text[start:].lstrip())
        end = _find_end(text, begin)
        parts.append(text[start:end].strip())
        start = end + 1
    return parts


def _find_end(text: str, begin: int) -> int:
    """Of the part that begins there: the place of the comma behind it, or the length of the text."""
    closed = begin
    if text[begin : begin + 1] in (*QUOTES,):
        closed = find_end_of_quotes(text, begin)
    elif text[begin : begin + 1] == "[":
        place = begin + 1
        while 0 < place < len(text) and text[place] != "]":
            place = find_end_of_quotes(text, place) if text[place] in QUOTES and text[place - 1] in "[, " else place + 1
        closed = place + 1 if 0 < place < len(text) else -1
    if closed > begin:
        behind = closed + len(text[closed:]) - len(text[closed:].lstrip())
        if behind == len(text) or text[behind] == ",":
            return behind
    comma = text.find(",", begin)
    return len(text) if comma < 0 else comma


def read_texts(value: str) -> list[str]:
    """Every path that a value may name, as it is typed, quoted or escaped for Hydra: itself, and the parts of a list."""
    parts = split_at_commas(value[1:-1] if is_list(value) else value)
    texts = [unquote(part) for part in (value, *parts)]
    return list(dict.fromkeys([*texts, *(text.replace("\\", "") for text in texts)]))


def expand_home(path: str) -> str:
    """With the home directory in the place of a leading `~`, unless there is something of this very name."""
    return os.path.expanduser(path) if path.startswith("~") and not exists(path) else path


def exists(path: str) -> bool:
    """Whether there is something of this very name; False of what can't be a path."""
    try:
        return os.path.lexists(path)
    except ValueError:  # a null character
        return False
