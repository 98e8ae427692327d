"""The pages that are made from what they describe: conf/'s files, the commands' help, public names, experiments' accounts.

`conf.py` calls it before Sphinx reads the pages. What is generated is not committed.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from lta.__main__ import find_commands
from lta.cli.commands import RUN
from lta.cli.plugins import CONF, PACKAGE

EXPERIMENTS = Path(__file__).resolve().parent.parent / "experiments"
STUDY = re.compile(r"\]\((?:\.\./)+experiments/([\w-]+)/README\.md")
"""How a hand-written page links to the account of an experiment."""

ESCAPES = str.maketrans({"|": r"\|", "<": "&lt;", "*": r"\*", "_": r"\_", "$": r"\$"})


class Setting(NamedTuple):
    """One row: the key as it is given on the command line, its default as the file has it, what the file says of it."""

    key: str
    default: str
    comment: str


def write_pages(folder: Path) -> None:
    pages = {"commands": render_commands(), "configuration": render_configuration(), "experiments": render_experiments()}
    pages |= {f"api/{name}": render_module(name, names) for name, names in list_public_names().items()}
    pages |= {f"studies/{file.parent.name}": render_study(file) for file in sorted(EXPERIMENTS.glob("*/README.md"))}
    for name, text in pages.items():
        page = folder / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        if not page.exists() or page.read_text() != text:  # Sphinx reads again only what is newer
            page.write_text(text)
    for page in folder.rglob("*.md"):
        if page.relative_to(folder).as_posix().removesuffix(".md") not in pages:
            page.unlink()


def list_public_names() -> dict[str, list[str]]:
    """What `__all__` lists, by the name of the module or package; of lta's own modules at the top, and of its packages."""
    files = {f"lta.{file.parent.name}": file for file in PACKAGE.glob("*/__init__.py")}
    files |= {f"lta.{file.stem}".removesuffix(".__init__"): file for file in PACKAGE.glob("*.py")}
    found = {name: _read_public_names(file) for name, file in sorted(files.items())}
    return {name: names for name, names in found.items() if names}


def _read_public_names(file: Path) -> list[str]:
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return sorted(ast.literal_eval(node.value), key=str.lower)
    return []


def render_module(name: str, names: Sequence[str]) -> str:
    listed = "\n".join(f"   {public}" for public in names)
    return f"""# {name}

```{{eval-rst}}
.. currentmodule:: {name}

.. autosummary::
   :nosignatures:

{listed}

.. automodule:: {name}
   :members:
   :show-inheritance:
```
"""


def render_commands() -> str:
    parts = ["# Commands\n", "`lta run ...` and `python -m lta.run ...` are the same.\n"]
    for name, does in find_commands().items():
        command = [sys.executable, "-m", f"lta.{name}", "--help"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        # The many names of experiments are on a page of their own.
        text = re.sub(r"^( *experiment: ).*$", r"\1(see Experiments)", text, flags=re.MULTILINE)
        parts.append(f"## lta {name}\n\n{does[0].upper()}{does[1:]}.\n\n```text\n{text.rstrip()}\n```\n")
        own = CONF / f"{RUN if name == 'run' else name}.yaml"
        if own.is_file():
            parts += ["Its own settings:\n", *_render_table(read_settings(own, ""))]
    return "\n".join(parts)


def render_configuration() -> str:
    parts = [
        "# Configuration groups\n",
        "Each choice is a file of `conf/`: `compat=pc` chooses `conf/compat/pc.yaml`.",
        "Each key below can be given on the command line, for example `recipe.epochs=5`.\n",
    ]
    for group in sorted(path.name for path in CONF.iterdir() if path.is_dir()):
        if group in ("experiment", "hydra"):
            continue
        parts.append(f"## {group}\n")
        for file in sorted((CONF / group).glob("*.yaml")):
            parts += [f"### {group}={file.stem}\n", f"{read_head(file)}\n"]
            if built := re.findall(r"^_target_: (\S+)", file.read_text(), re.MULTILINE):
                parts.append(f"Builds `{built[0]}`.\n")
            if others := list(_iter_defaults(file)):
                parts.append(f"Based on {', '.join(f'`{other}`' for other in others)}.\n")
            parts += _render_table(read_settings(file, group))
    return "\n".join(parts)


def render_experiments() -> str:
    rows = "\n".join(
        f"| `{file.stem}` | {read_head(file).splitlines()[0].removeprefix('Row: ')} |"
        for file in sorted((CONF / "experiment").glob("*.yaml"))
    )
    head = "# Experiments\n\nWhole configurations with a name: `lta run experiment=quickstart`.\n"
    return f"{head}\n| name | what it is |\n|---|---|\n{rows}\n"


def render_study(file: Path) -> str:
    """An experiment's own account, with links that are right in `studies/`."""
    here = f"../../../../experiments/{file.parent.name}/"

    def place(found: re.Match[str]) -> str:
        other = re.match(r"\.\./([\w-]+)/README\.md(.*)", found[1])
        return f"]({other[1]}.md{other[2]})" if other else f"]({here}{found[1]})"

    return re.sub(r"\]\((?!https?:|#)([^)]+)\)", place, file.read_text())


def link_studies(text: str) -> str:
    """A hand-written page as Sphinx is to read it: accounts of experiments are pages of the site."""
    return STUDY.sub(r"](/reference/generated/studies/\1.md", text)


def _render_table(settings: Iterable[Setting]) -> list[str]:
    rows = [f"| `{key}` | {f'`{default}`' if default else ''} | {comment} |" for key, default, comment in settings]
    return ["| key | default | what it is |", "|---|---|---|", *rows, ""] if rows else []


def read_head(file: Path) -> str:
    """The comment that a file begins with."""
    lines = []
    for line in file.read_text().splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            lines.append(_escape(line.lstrip("# ")))
    return "\n".join(lines)


def read_settings(file: Path, group: str) -> Iterator[Setting]:
    """Those of the file itself, without those of files that it is based on."""
    text = file.read_text()
    package = re.match(r"# @package (\S+)", text)
    prefix = group if package is None else package[1].removeprefix("_global_").lstrip(".")
    root = yaml.compose(text)
    if isinstance(root, yaml.MappingNode):
        yield from _iter_settings(root, prefix, text.splitlines())


def _iter_settings(node: yaml.MappingNode, prefix: str, lines: list[str]) -> Iterator[Setting]:
    for key, value in node.value:
        if key.value in ("defaults", "hydra") or key.value.startswith("_"):
            continue
        name = f"{prefix}.{key.value}".lstrip(".")
        if isinstance(value, yaml.MappingNode) and value.value:
            if comment := _read_comment(lines, key.end_mark.line, key.end_mark.column):
                yield Setting(name, "", comment)
            yield from _iter_settings(value, name, lines)
            continue
        line, start = value.end_mark.line, value.end_mark.column
        if value.start_mark.line != line:  # a list over several lines ends where the next key begins
            line, start = key.start_mark.line, 0
            default = "..."
        else:
            default = lines[line][value.start_mark.column : start].strip()
        yield Setting(name, default.replace("|", r"\|"), _read_comment(lines, line, start))


def _read_comment(lines: list[str], line: int, start: int) -> str:
    """What stands behind a value, with the lines of comment that go on below it."""
    found = re.search(r"#\s*(.*)$", lines[line][start:])
    words = [found[1]] if found else []
    for below in lines[line + 1 :] if found else ():
        if not re.match(r"\s+#", below):
            break
        words.append(below.strip().lstrip("# "))
    return _escape(" ".join(words))


def _escape(text: str) -> str:
    """For Markdown; what stands between backticks is code already."""
    return re.sub(r"`[^`]*`|[^`]+", lambda found: found[0] if found[0][0] == "`" else found[0].translate(ESCAPES), text)


def _iter_defaults(file: Path) -> Iterator[str]:
    for other in (yaml.safe_load(file.read_text()) or {}).get("defaults", ()):
        if isinstance(other, dict):
            ((key, value),) = other.items()
            if "@_global_:" not in f"{key}:" or not str(value).startswith("${"):
                yield f"{key.partition('@')[0].lstrip('/')}={value}"
        elif other != "_self_":
            yield other
