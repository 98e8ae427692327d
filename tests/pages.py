"""What tests read in the README and the pages of docs/: sentences, links, commands and blocks of Python."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
WRITTEN = sorted(
    path
    for path in (ROOT / "docs").rglob("*.md")
    if not {"_build", "generated"} & set(path.relative_to(ROOT).parts) and path.stem not in ("changelog", "contributing")
)
PAGES = [README, ROOT / "CONTRIBUTING.md", *WRITTEN]
ACCOUNTS = sorted((ROOT / "experiments").glob("*/README.md"))

FENCE = re.compile(r"^(\s*)(`{3,})([^\n`]*)\n(.*?)^\1\2\s*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
SENTENCE_END = re.compile(r"(?<=[.!?])[*_)\"”]*\s+(?=[\"“(*_A-ZÀ-Þ0-9]|(?:lta|timm|torch\w*|pip|submitit)\b)")


def name_page(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def list_blocks(text: str, *languages: str) -> list[str]:
    return [found[4] for found in FENCE.finditer(text) if found[3].strip() in languages]


def iter_sentences(text: str) -> Iterator[str]:
    """Those of prose, of lists and of each cell of a table; code and the address of a link count as one word."""
    text = FENCE.sub("\n\n", text)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\{[\w:]+\}`[^`]*`|`[^`]*`", "CODE", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    for part in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.|\||#|:)\s)|\n(?=\|)", text):
        if re.fullmatch(r"[\s|:-]*", part) or part.lstrip().startswith("#"):
            continue
        cells = re.split(r"(?<!\\)\|", part) if part.lstrip().startswith("|") else [part]
        for cell in cells:
            yield from (" ".join(sentence.split()) for sentence in SENTENCE_END.split(cell.strip()) if sentence.strip())


def count_words(sentence: str) -> int:
    """Numbers count; dashes, bullets and signs that stand alone do not."""
    return len([word for word in sentence.split() if re.search(r"\w", word)])


def list_anchors(text: str) -> set[str]:
    """As GitHub and MyST make them of headings."""
    titles = re.findall(r"^#+ (.*)", FENCE.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in plain}


def list_commands(text: str) -> list[tuple[str, list[str]]]:
    """(command, arguments) of each line of a block of shell that calls lta, however it is started."""
    found = []
    for block in list_blocks(text, "", "text", "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            if not re.match(r"(\$ )?(lta |python -m lta\.|torchrun |srun |[A-Z_]+=\S+ python )", line):
                continue
            words = shlex.split(line, comments=True)
            place = next(n for n, word in enumerate(words) if word == "lta" or word.startswith("lta."))
            name, rest = words[place], words[place + 1 :]
            found.append((rest[0], rest[1:]) if name == "lta" else (name.removeprefix("lta."), rest))
    return found
