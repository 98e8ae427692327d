"""`lta COMMAND ...`, the console script, and `python -m lta COMMAND ...`: what `python -m lta.COMMAND ...` does."""

import os
import sys


def main() -> int:
    """Runs the command that the first word names, with the others; the exit status. Without a word, says what there is."""
    from lta.cli.safe_path import clean_import_path

    if __name__ != "__main__" and not sys.flags.safe_path:
        sys.path.insert(0, os.getcwd())  # as `python -m` has done, for own code that the command names
    clean_import_path(sys.argv[1:])  # before anything else is imported
    import runpy

    import lta
    from lta.runtime.console import keep_writing

    keep_writing()
    name, *settings = sys.argv[1:] or ["--help"]
    commands = find_commands()
    if name in ("--help", "-h"):
        print(render_overview(commands))
        return 0
    if name == "--version":
        print(f"lta {lta.__version__}")
        return 0
    if name not in commands:
        from lta.cli.suggestions import suggest_choice

        meant = suggest_choice(name, list(commands))
        print(f"error: lta has no command {name}{meant}; lta --help lists them", file=sys.stderr)
        return 1
    sys.argv[1:] = settings
    # As `python -m` would: sweeps and Lightning start further processes by the name in `__main__.__spec__`.
    runpy.run_module(f"lta.{name}", run_name="__main__", alter_sys=True)
    return 0


def find_commands() -> dict[str, str]:
    """What each does, by its name: the folders that can be run, and the first sentences of their docstrings."""
    import ast
    from pathlib import Path

    found = {}
    for path in sorted(Path(__file__).parent.glob("*/__main__.py")):
        _, _, what = (ast.get_docstring(ast.parse(path.read_text())) or "").partition(": ")
        found[path.parent.name] = what.partition(". ")[0].rstrip(".")
    return found


def render_overview(commands: dict[str, str]) -> str:
    """What `lta` alone prints: how it is called, and a line for each command."""
    import lta

    width = max(map(len, commands)) + 2
    return "\n".join(
        [
            f"lta {lta.__version__}: trainable attention in image classifiers",
            "",
            "usage: lta COMMAND [setting=value ...]",
            "       python -m lta.COMMAND [setting=value ...]  does the same",
            "",
            *(f"  {name:{width}}{does}" for name, does in commands.items()),
            "",
            "lta COMMAND --help tells more about one of them.",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
