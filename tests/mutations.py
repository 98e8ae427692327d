"""Breaks lta a line at a time and looks whether the tests notice: `python tests/mutations.py`.

30 mutations are drawn (`--count`, `--seed 0`) from all packages of lta in turn: a comparison or an arithmetic operator
turned round, `and` for `or`, a number or a flag changed (also where it is a default), a condition negated, a `not` or a
call left out. Each is made in a copy of the checkout. There the tests run that cover the line, until one fails or
`--limit` seconds are over. The test that fails has to pass without the mutation, else nothing is decided.

Which tests cover a line is read from what `make coverage` leaves (`--coverage .coverage`); lines that no test covers are
not drawn. Without such a file, all lines of functions are drawn from, and the tests are the fast ones of the package's
folder in tests/ and GENERAL. `--list` shows what is drawn and runs nothing; `--only 3,7` runs these alone.
"""

import argparse
import ast
import copy
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from coverage import CoverageData

ROOT = Path(__file__).resolve().parents[1]
GENERAL = ("tests/run", "tests/test_conf.py", "tests/test_package.py")

TURNED: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


class Mutation(NamedTuple):
    """The text of `path` from `begin` to `end`, (line, byte) each, is to become `after`."""

    path: str
    begin: tuple[int, int]
    end: tuple[int, int]
    kind: str
    after: str

    def apply(self, source: str) -> str:
        lines = source.encode().splitlines(keepends=True)
        first, last = self.begin[0] - 1, self.end[0] - 1
        changed = lines[first][: self.begin[1]] + self.after.encode() + lines[last][self.end[1] :]
        return b"".join([*lines[:first], changed, *lines[last + 1 :]]).decode()

    def describe(self, source: str) -> str:
        line = source.encode().splitlines()[self.begin[0] - 1]
        last = self.end[1] if self.end[0] == self.begin[0] else len(line)
        left, was, right = line[: self.begin[1]], line[self.begin[1] : last], line[last:]
        place = f"{left.decode().lstrip()}[{was.decode()} -> {self.after}]{right.decode()}"
        return f"{self.path}:{self.begin[0]}  {self.kind}: {place}"


def find_changes(node: ast.AST) -> Iterator[tuple[str, ast.AST, ast.AST | None]]:
    """(kind, what is replaced, by what) of one node; None: by `pass`."""

    def changed(**fields: object) -> ast.AST:
        other = copy.copy(node)
        for name, value in fields.items():
            setattr(other, name, value)
        return other

    match node:
        case ast.Compare(ops=[op, *more]):
            yield "comparison", node, changed(ops=[TURNED[type(op)](), *more])
        case ast.BinOp(op=op, left=left, right=right) if type(op) in TURNED and not is_text(left) and not is_text(right):
            yield "arithmetic", node, changed(op=TURNED[type(op)]())
        case ast.BoolOp(op=op):
            yield "and, or", node, changed(op=TURNED[type(op)]())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "not left out", node, operand
        case ast.Constant(value=bool() as value):
            yield "flag", node, ast.Constant(not value)
        case ast.Constant(value=int() | float() as value):
            yield "number", node, ast.Constant(value + 1)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield "condition negated", test, ast.UnaryOp(ast.Not(), test)
        case ast.Expr(value=ast.Call(func=function)) if not ast.unparse(function).startswith(("log.", "super()", "print")):
            yield "call left out", node, None


def is_text(node: ast.AST) -> bool:
    """Of text and paths, any other operator is an error at once."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def walk(node: ast.AST, in_function: bool = False) -> Iterator[ast.AST]:
    """All that runs when a function is called, and its defaults; no annotations, decorators, texts, messages of errors."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        parts: list[ast.AST] = [*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body]
        in_function = True
    elif isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return
    elif isinstance(node, ast.AnnAssign):
        parts = [node.value] if node.value else []
    else:
        parts = [*ast.iter_child_nodes(node)]
    if in_function:
        yield node
    for part in parts:
        yield from walk(part, in_function)


def find_mutations(path: Path, lines: set[int] | None) -> list[Mutation]:
    """Those of a file, on `lines` (None: any)."""
    source, found = path.read_text(encoding="utf-8"), []
    for node in walk(ast.parse(source)):
        for kind, old, new in find_changes(node):
            after = "pass" if new is None else f"({ast.unparse(new)})"
            begin, end = (old.lineno, old.col_offset), (old.end_lineno, old.end_col_offset)
            mutation = Mutation(str(path.relative_to(ROOT)), begin, end, kind, after)
            if lines is None or old.lineno in lines:
                compile(mutation.apply(source), str(path), "exec")
                found.append(mutation)
    return found


def read_contexts(file: Path) -> dict[str, dict[int, list[str]]]:
    """The tests that cover each line, by file."""
    data = CoverageData(str(file))
    data.read()
    found = {}
    for name in data.measured_files():
        inside = re.search(r"(lta/.*\.py)$", name.replace("\\", "/"))
        if inside:
            tests = {line: [*filter(None, said)] for line, said in data.contexts_by_lineno(name).items()}
            found[inside[1]] = {line: said for line, said in tests.items() if said}
    return found


def draw(count: int, seed: int, covered: dict[str, dict[int, list[str]]] | None) -> list[Mutation]:
    """From each package in turn, the same ones for the same seed, code and coverage."""
    random_ = random.Random(seed)
    by_package = defaultdict(list)
    for path in sorted((ROOT / "lta").rglob("*.py")):
        name = str(path.relative_to(ROOT))
        lines = None if covered is None else set(covered.get(name, ()))
        by_package[path.relative_to(ROOT).parts[1]] += find_mutations(path, lines)
    queues = [random_.sample(found, len(found)) for found in by_package.values() if found]
    random_.shuffle(queues)
    drawn = []
    while len(drawn) < count and any(queues):
        drawn += [queue.pop() for queue in queues if queue][: count - len(drawn)]
    return drawn


def choose_tests(mutation: Mutation, covered: dict[str, dict[int, list[str]]] | None) -> list[str]:
    """Arguments for pytest: what is nearest to the mutated line comes first."""
    folder = Path("tests", mutation.path.split("/")[1].removesuffix(".py"))
    if covered is None:
        return ["-m", "not slow", *([str(folder)] if (ROOT / folder).is_dir() else []), *GENERAL]
    files = {path.stem: path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py")}
    chosen = {}
    for said in covered[mutation.path][mutation.begin[0]]:
        module, *names = said.split(".")
        if module in files:
            chosen["::".join([str(files[module]), *names])] = folder in files[module].parents
    return sorted(chosen, key=lambda test: (not chosen[test], test))


def run(tests: Sequence[str], where: Path, limit: float) -> tuple[str, str]:
    """("caught", the test), ("survived", "") or ("undecided", why)."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    try:
        ended = subprocess.run(command, cwd=where, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return "undecided", f"{limit:g} seconds were over"
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", ended.stdout, re.MULTILINE)
    if failed:
        return "caught", failed[1]
    return ("survived", "") if ended.returncode == 0 else ("undecided", (ended.stdout + ended.stderr).strip()[-200:])


def try_out(mutation: Mutation, tests: Sequence[str], where: Path, limit: float) -> tuple[str, str]:
    file = where / mutation.path
    whole = file.read_text(encoding="utf-8")
    file.write_text(mutation.apply(whole), encoding="utf-8")
    try:
        outcome, said = run(tests, where, limit)
    finally:
        file.write_text(whole, encoding="utf-8")
    if outcome == "caught" and run([said], where, limit)[0] != "survived":
        return "undecided", f"{said} fails without the mutation too"
    return outcome, said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=600, help="seconds for the tests of one mutation")
    parser.add_argument("--coverage", type=Path, default=ROOT / ".coverage")
    parser.add_argument("--only", type=lambda text: {int(number) for number in text.split(",")})
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    covered = read_contexts(options.coverage) if options.coverage.is_file() else None
    print(f"tests by {options.coverage}" if covered else "no coverage data: the tests of the package, and general ones")
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        names = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
        for name in names if not options.list else ():
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, Path(folder) / name)
        for number, mutation in enumerate(draw(options.count, options.seed, covered), 1):
            if options.only and number not in options.only:
                continue
            print(f"{number:3} {mutation.describe((ROOT / mutation.path).read_text(encoding='utf-8'))}", flush=True)
            if not options.list:
                outcome, said = try_out(mutation, choose_tests(mutation, covered), Path(folder), options.limit)
                outcomes.append(outcome)
                print(f"    {outcome} {said}", flush=True)
    print(", ".join(f"{outcomes.count(name)} {name}" for name in ("caught", "survived", "undecided")))


if __name__ == "__main__":
    main()
