"""Writes the rows of conf/experiment/ from rows.yaml and the published figures: python experiments/make_experiments.py

A row's name begins with its table's; `quickstart` and `search_rate` are written by hand. A test runs it: nothing may change.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

import yaml

from lta.report import published

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parent / "conf" / "experiment"
KEY = ("model", "compat", "head", "data")
"""What a published figure belongs to. `compat` and `head` are left out where the network has no choice of them."""
CHOSEN = ("data", "model", "compat", "head", "preprocess", "recipe")
COMPACT = ("air", "headline", "official")
"""Tables of the compact trunk, which is not of the paper."""
NONE_KNOWN = "no published figure known to us"
GPU = 30e12
"""Operations per second that the time is estimated with."""
WIDE = 116


def read_source() -> dict[str, Any]:
    return yaml.safe_load((HERE / "rows.yaml").read_text(encoding="utf-8"))


def make_files() -> dict[str, str]:
    """The text of each file, by the experiment's name."""
    source = read_source()
    figures = yaml.safe_load(published.FILE.read_text(encoding="utf-8"))
    return {name: _write_file(name, row, source, figures) for name, row in source["rows"].items()}


def table_of(name: str) -> str:
    return name.partition("_")[0]


def _write_file(name: str, row: Mapping[str, Any], source: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    table = {"recipe": None, **source["tables"][table_of(name)]}
    labels = [("Row", _describe_row(name, row, source))]
    if table_of(name) != "small":
        labels.append(("Published", _describe_figures(name, source["rows"], figures)))
    labels.append(("Command", f"python -m lta.run experiment={name}"))
    if "gflop" in row:
        labels.append(("Time", _describe_time({**table, **row})))
    labels += [("Note", note) for note in row.get("notes", ())]
    lines = ["# @package _global_"]
    for label, text in labels:
        lines += wrap(text, WIDE, initial_indent=f"# {label}: ", subsequent_indent="#   ", break_on_hyphens=False)
    return "\n".join([*lines, *_write_body({**table, **row})]) + "\n"


def _describe_row(name: str, row: Mapping[str, Any], source: Mapping[str, Any]) -> str:
    table, _, suffix = name.partition("_")
    words = source["tables"][table]["words"]
    if table == "ladder":
        rungs = [other for other in source["rows"] if table_of(other) == "ladder"]
        return f"step {rungs.index(name)} of {len(rungs) - 1} {words} {row['row']}"
    if table == "small" or table in COMPACT:
        suffix = suffix.removeprefix("vgg").strip("_").replace("_", "-") or "baseline"
        return f"{words}, {suffix}: {row['row']}"
    text = f"{words}, {row['row']}" if row.get("printed", True) else row["row"]
    return f"{text}; the authors' {row['authors']}" if "authors" in row else text


def find_figures(name: str, rows: Mapping[str, Any], figures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the row that an experiment stands for, in the file's order; of those that stand for none, no one."""
    row = rows[rows[name].get("same_as", name)]
    return [one for one in figures if "data" in row and all(one.get(part) == row.get(part) for part in KEY)]


def _describe_figures(name: str, rows: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    beside = rows[name].get("beside")
    if table_of(name) in COMPACT and beside is None:
        others = find_figures(name, rows, figures["others"])
        found = [f"{one['error']:g} % ({one['repository']}: {one['note']})" for one in others]
    else:
        found = [
            f"{one['error']:g} % ({'unchecked' if one['trust'] == 'recalled' else one['trust'] + ': ' + one['source']})"
            for one in find_figures(beside or name, rows, figures["figures"])
        ]
    text = "; ".join(found) or NONE_KNOWN
    return text if beside is None else f"of the paper's network ({beside}), with another trunk and training: {text}"


def _describe_time(row: Mapping[str, Any]) -> str:
    seconds = row["epochs"] * row["images"] * 3 * row["gflop"] * 1e9 / GPU
    return (
        f"{format_seconds(seconds)} on one GPU, an estimate: "
        f"{row['epochs']} epochs x {row['images']:,} images x 3 x {row['gflop']:.2g} "
        f"GFLOP (forward, and twice that backward), at an assumed {GPU / 1e12:g} TFLOP/s in bf16; no GPU was measured"
    )


def format_seconds(seconds: float) -> str:
    """In the largest unit of which there is one at least, to two digits."""
    unit, name = next((unit, name) for unit, name in ((3600, "hours"), (60, "minutes"), (1, "seconds")) if seconds >= unit)
    return f"{seconds / unit:.2g} {name}"


def _write_body(row: Mapping[str, Any]) -> Iterator[str]:
    """What is chosen, then the settings, which are yaml as it is to stand there."""
    yield "defaults:"
    if "base" in row:
        yield f"  - {row['base']}"
    for group in CHOSEN:
        choice = None if row.get(group) == "single" else row.get(group)  # a head of one level has no choice
        if choice is not None and "base" not in row:
            yield f"  - override /{group}: {choice}"
    for group, choice in row.get("override", {}).items():
        yield f"  - override /{group}: {choice}"
    if "settings" in row:
        yield "  - _self_"
        yield ""
        yield row["settings"].rstrip("\n")


if __name__ == "__main__":
    for name, text in make_files().items():
        (FOLDER / f"{name}.yaml").write_text(text, encoding="utf-8")
