"""`python -m lta.report RUNS...`: one page with the paper's results next to those of your runs. Without network or torch."""

import sys

from lta.cli.safe_path import clean_import_path

if __name__ == "__main__":
    clean_import_path(sys.argv[1:])  # before anything is imported that lies outside lta

import argparse
import gc
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lta.cli.trust import drop_trust
from lta.report.as_json import render_json
from lta.report.figure_files import render_figure_files
from lta.report.groups import group_runs
from lta.report.options import parse
from lta.report.page import Report, build_report, render_html, render_markdown
from lta.report.pairs import format_difference
from lta.report.paper_tables import render_paper_tables
from lta.report.runs import MARKS, holds_marks, read_runs
from lta.report.writing import check_place, say, write_files
from lta.runtime.console import keep_writing


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `lta report` with `arguments` (None: those of the command line), and gives its exit status."""
    command = shlex.join(["python", "-m", "lta.report", *(sys.argv[1:] if arguments is None else arguments)])
    try:
        asked = parse(drop_trust(sys.argv[1:] if arguments is None else arguments), __doc__)
        made = _make_report(asked, command)
        if asked.watch:
            # Imported here: a report that is written needs no server.
            from lta.report.watching import watch

            return watch(lambda: render_html(_make_report(asked, command)), asked.runs, asked.port)
        texts = {"report.html": render_html(made), "report.md": render_markdown(made), "report.json": render_json(made)}
        contents = {
            **texts,
            **(render_figure_files(made, asked.figures) if asked.figures else {}),
            **(render_paper_tables(made, asked.tables, asked.columns) if asked.tables is not None else {}),
        }
        check_place(asked.out, contents)
        files = write_files(asked.out, contents)
    except (ValueError, OSError) as error:
        say(f"error: {error}", sys.stderr)
        return 1
    for one in made.groups:
        count = one.summary.n
        error = f"{one.summary.mean:.2f} % ({f'mean of {count} runs' if count > 1 else '1 run'})"
        line = f"{one.names.data:14} {one.label:40} {error:>24}"
        say(f"{line}   {one.verdict.words}" if made.is_of_paper else line, sys.stdout)
    for pair in made.pairs:
        points, interval = format_difference(pair.difference)
        figures = f"{points} points ({interval}) " if pair.difference else ""
        line = f"{pair.group.label:40} {figures}against {pair.reference.label}: {pair.words}"
        say(f"{pair.group.names.data:14} {line}", sys.stdout)
    if count := len(made.left_out):
        say(f"{count} note{'s' * (count > 1)} on what is left out, in the report's last section", sys.stdout)
    for file in files:
        say(str(file), sys.stdout)
    return 0 if asked.wandb is None else _log_to_wandb(files, asked.wandb)


def _make_report(asked: argparse.Namespace, command: str) -> Report:
    runs, left_out = read_runs(asked.runs)
    groups, repeated = group_runs(runs)
    places = ", ".join(map(str, asked.runs))
    if not groups and not asked.watch and (asked.out / "report.html").exists():
        raise ValueError(f"there is no finished run in {places}: the report in {asked.out} stays as it is")
    if not groups and not any(holds_marks(one.path) for one in left_out):
        raise ValueError(f"there is no run in {places}: no folder there has a {' or '.join(MARKS)}")
    time = datetime.now(UTC).isoformat(" ", "minutes")
    return build_report(asked.title, command, time, groups, [*left_out, *repeated], asked.against)


def _log_to_wandb(files: Sequence[Path], place: str) -> int:
    # Imported here: the report itself needs no W&B and no torch.
    from lta.loggers.wandb_artifacts import log_report

    entity, _, project = place.rpartition("/")
    try:
        say(f"as an artifact: {log_report(files, project, entity or None)}", sys.stdout)
    except ValueError as error:
        say(f"error: {error}", sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    keep_writing()
    gc.disable()  # it finds next to nothing among some hundred thousand numbers, and takes a tenth of the time
    sys.exit(main())
