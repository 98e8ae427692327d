"""What can be counted of plain English, and that links, commands and names in README and docs/ are those of today."""

import ast
import re
from urllib.parse import unquote

import hydra
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from pages import (
    ACCOUNTS,
    LINK,
    PAGES,
    README,
    ROOT,
    count_words,
    iter_sentences,
    list_anchors,
    list_blocks,
    list_commands,
    name_page,
)

import lta.cli.resolvers  # noqa: F401  files of conf/ ask for them
from lta.__main__ import find_commands
from lta.cli.commands import COMMANDS, PARTS, RUN
from lta.cli.plugins import CONF
from lta.cli.quoting import quote_arguments
from lta.dashboard.__main__ import parse_settings
from lta.report.options import parse
from lta.testing import check_compat

COMMANDS_SHOWN = sorted({(name, tuple(words)) for page in PAGES for name, words in list_commands(page.read_text())})
EXAMPLE = ROOT / "examples/my_attention/my_attention/conf"
"""The package whose names the page on extensions uses."""
LISTS = ("evaluator", "effect", "images", "logger", "trust")


def test_the_readme_is_one_page():
    text = README.read_text()
    assert len(text.splitlines()) <= 200
    assert len(text.encode()) <= 14_000
    first_screen = text[: text.index("## Main commands")]
    assert "](docs/front.webp)" in first_screen
    assert "pip install -e ." in first_screen
    assert "lta run experiment=quickstart" in first_screen


@pytest.mark.parametrize("page", [*PAGES, *ACCOUNTS, ROOT / "CHANGELOG.md"], ids=name_page)
def test_no_sentence_has_more_than_thirty_words(page):
    assert not [sentence for sentence in iter_sentences(page.read_text()) if count_words(sentence) > 30]


def test_sentences_are_found_and_counted():
    text = (
        "# A heading of some words\n\nOne `a b c` two [three four](five.md). Five, six:\nseven.\n\n- Eight nine\n- ten\n\n"
        "| a b | c. D |\n|---|---|\n| e | f |\n\n```text\nno sentence\n```\n"
    )
    sentences = ["One CODE two three four.", "Five, six: seven.", "- Eight nine", "- ten", "a b", "c.", "D", "e", "f"]
    assert list(iter_sentences(text)) == sentences
    assert [count_words(sentence) for sentence in sentences[:4]] == [5, 3, 2, 1]


def iter_messages(code):
    """What the errors that `code` raises say: the literal parts, with X for a value."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            said = node.exc.args[0]
            parts = said.values if isinstance(said, ast.JoinedStr) else [said]
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in parts)


def find_stumbles(message):
    """Sentences above thirty words, and words that point back at something a reader has forgotten."""
    long = [part for part in re.split(r"[.:;] ", message) if count_words(part) > 30]
    return long + re.findall(r"\b(?:that of|those whose|those that|theirs|beside|whereof)\b", message)


def test_no_error_makes_a_reader_stumble():
    found = [
        (path.relative_to(ROOT).as_posix(), message, stumbles)
        for path in sorted((ROOT / "lta").rglob("*.py"))
        for message in iter_messages(path.read_text())
        if (stumbles := find_stumbles(message))
    ]
    assert not found


def test_stumbles_in_messages_are_found():
    code = 'raise ValueError(f"the map {x} and that of {y}" " differ")\nraise RunError("give " + " a" * 31)\nraise\n'
    messages = [*iter_messages(code), *iter_messages(f"raise ValueError('go{' on' * 31}')")]
    assert messages[0] == "the map X and that of X differ"
    assert [len(find_stumbles(message)) for message in messages] == [1, 0, 1]


@pytest.mark.parametrize("page", [*PAGES, *ACCOUNTS, ROOT / "experiments/README.md"], ids=name_page)
def test_links_and_anchors_resolve(page):
    broken = []
    for link in LINK.findall(page.read_text()):
        place, _, anchor = unquote(link).partition("#")
        if re.match(r"https?:", place) or "reference/generated/" in place:  # generated pages are checked by `make docs`
            continue
        target = (page.parent / place).resolve() if place else page
        if not target.exists() or (anchor and anchor not in list_anchors(target.read_text())):
            broken.append(link)
    assert not broken


def first_of(override):
    """Of a sweep over values, the job with the first."""
    parsed = OverridesParser.create().parse_override(override)
    return f"{override.partition('=')[0]}={next(parsed.sweep_string_iterator())}" if parsed.is_sweep_override() else override


IS_DATA = re.compile(r"data=").match


def compose(name, words):
    """The configuration that a command would have: raises where a setting or a choice does not exist."""
    words = [word for word in words if word not in ("-m", "--cfg", "job", "--help")]
    overrides = [
        f"{key}=[{value}]" if key in LISTS and "," in value and value[0] != "[" else word
        for word in quote_arguments(words, LISTS)
        for key, _, value in [word.partition("=")]
    ]
    if name == "evaluate" and any(word.startswith("data.") for word in words) and not any(map(IS_DATA, words)):
        overrides = ["data=image_folder", *overrides]  # the run's own data, whatever they are
    if name != "run":
        assert {word.partition("=")[0].partition(".")[0] for word in words} <= set(COMMANDS[name].parts)
    else:
        overrides = [first_of(override) for override in overrides if "glob(" not in override]
        overrides += [f"hydra.searchpath=[file://{EXAMPLE}]"]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(RUN if name == "run" else name, overrides, return_hydra_config=name == "run")


@pytest.mark.parametrize(
    ("name", "words"), COMMANDS_SHOWN, ids=lambda part: part if isinstance(part, str) else " ".join(part)
)
def test_a_command_that_is_shown_is_understood(name, words):
    assert name in find_commands()
    if name == "report":
        assert parse(words).runs
    elif name == "dashboard":
        assert parse_settings(words)
    elif "--help" not in words:
        cfg = compose(name, words)
        assert name != "run" or set(cfg) - {"hydra"} <= PARTS


def test_commands_are_found():
    text = (
        "```text\nlta run a=1  # why\n$ lta evaluate b='c d'\nNODE_RANK=0 python -m lta.run e=1 \\\n  f=2\nlta says\n```\n"
    )
    assert list_commands(text.replace("lta says", "said lta")) == [
        ("run", ["a=1"]),
        ("evaluate", ["b=c d"]),
        ("run", ["e=1", "f=2"]),
    ]
    assert len(COMMANDS_SHOWN) > 50
    with pytest.raises(hydra.errors.HydraException):
        compose("run", ["model=vgg_att4"])


def test_targets_of_make_that_are_shown_are_there():
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    shown = {target for page in PAGES for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)}
    assert {"run", "docs", "reproduce"} <= shown <= set(rules)


def test_the_readme_names_every_choice():
    """Those of the groups in its table; of experiments it gives none."""
    table = README.read_text().partition("## What you can choose")[2].partition("\n## ")[0]
    for row in table.splitlines():
        if (found := re.match(r"\| \[`(\w+)=`\]", row)) and found[1] not in ("experiment", "model"):
            named = set(re.findall(r"`(\w+)`", row))
            there = {path.stem for path in (CONF / found[1]).glob("*.yaml")} - {"all"}
            assert named <= there, row
            assert found[1] == "data" or named == there, row


def test_the_network_page_names_every_network_with_its_parameters():
    table = (ROOT / "docs/guide/networks.md").read_text().partition("## Networks")[2].partition("\n### ")[0]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)))) == {
        path.stem for path in (CONF / "model").glob("*.yaml")
    }


def test_the_extension_in_the_readme_is_a_compatibility_function():
    (block,) = (block for block in list_blocks(README.read_text(), "python") if "class Cosine" in block)
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    check_compat(names["Cosine"])
    command = next(words for name, words in COMMANDS_SHOWN if name == "run" and "trust=my_code.Cosine" in words)
    assert compose("run", command).model.compat._target_ == "my_code.Cosine"
