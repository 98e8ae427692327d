"""What `lta report` takes on its command line."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from lta.report.figure_files import KINDS
from lta.report.paper_tables import COLUMNS, DEFAULT

EPILOG = "A place is a run directory, or a folder with runs below it, such as a sweep's; links are followed."


def parse(arguments: Sequence[str], description: str | None = None) -> argparse.Namespace:
    """Raises ValueError for options that do not go together."""
    parser = argparse.ArgumentParser(prog="python -m lta.report", description=description, epilog=EPILOG)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUNS", help="run directories, or folders that hold some")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder for report.html, .md and .json (default: here)")
    parser.add_argument("--title", default="", help="of the page (default: by what it is about)")
    parser.add_argument(
        "--against",
        metavar="NETWORK",
        default="",
        help="compare the others with this one, seed by seed; as the report calls it, such as 'vgg_att2 pc concat'",
    )
    parser.add_argument(
        "--figures", choices=KINDS, metavar="KIND", help="also write every chart as a file of its own: svg, pdf or png"
    )
    parser.add_argument(
        "--tables", metavar="FORMS", help="also write tables of test errors for a paper: csv, latex, md, separated by commas"
    )
    parser.add_argument(
        "--columns",
        metavar="NAMES",
        help=f"of these tables: {', '.join(COLUMNS)}, and metrics such as test/loss (default: {','.join(DEFAULT)})",
    )
    parser.add_argument(
        "--watch", action="store_true", help="write nothing: serve the page to this computer, and update it as runs go on"
    )
    parser.add_argument("--port", type=int, default=8510, help="of --watch; 0 takes a free one (default: 8510)")
    parser.add_argument("--wandb", metavar="PROJECT", help="also log the files as a W&B artifact: project or entity/project")
    asked = parser.parse_args(arguments)
    if asked.columns is not None and asked.tables is None:
        raise ValueError(
            f"--columns={asked.columns} is not used without --tables: give --tables csv,latex,md or one of them"
        )
    written = {"--tables": asked.tables, "--figures": asked.figures, "--wandb": asked.wandb}
    if asked.watch and (given := [option for option, value in written.items() if value is not None]):
        raise ValueError(f"{given[0]} writes files, and --watch serves a page: leave one of them out")
    return asked
