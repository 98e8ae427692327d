"""What two commits' benchmarks found, row by row: `make bench` at each, then

    python benchmarks/compare.py [BEFORE AFTER]

BEFORE and AFTER are folders below benchmarks/results (as much of the name as tells them apart); without them, the two
that were written last. Rows are ratios taken in one run, which noise and the machine's speed hardly touch; a change is
marked where the middle halves of the two runs' rounds do not overlap. Machines are to be alike: a line says it if not.
"""

import argparse
import sys
from pathlib import Path

from measuring import RESULTS, load


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commits", nargs="*", metavar="BEFORE AFTER")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that holds them")
    options = parser.parse_args()
    if len(options.commits) not in (0, 2):
        sys.exit(f"error: give two commits or none, not {len(options.commits)}")
    there = sorted((path for path in options.results.glob("*") if path.is_dir()), key=_written)
    before, after = (_chosen(name, there) for name in options.commits) if options.commits else _last_two(there)
    print(f"before: {before.name}\nafter:  {after.name}")
    old, new = load(before), load(after)
    for script in sorted(old.keys() & new.keys()):
        print(f"\n== {script}")
        for line in differences(old[script], new[script]):
            print(line)
    for script in sorted(old.keys() ^ new.keys()):
        print(f"\n== {script}: only {'before' if script in old else 'after'}")


def differences(old: dict, new: dict) -> list[str]:
    """One line for each row of one script, and before them what was not alike."""
    lines = [
        f"{key}: {old['machine'].get(key)} before, {new['machine'].get(key)} after"
        for key in sorted(old["machine"].keys() | new["machine"].keys())
        if old["machine"].get(key) != new["machine"].get(key)
    ]
    if old["conditions"] != new["conditions"]:
        lines.append(f"conditions: {old['conditions']} before, {new['conditions']} after")
    rows = [{row["case"]: row for row in kept["rows"]} for kept in (old, new)]
    for case in dict.fromkeys([*rows[0], *rows[1]]):
        one, other = (by_case.get(case) for by_case in rows)
        if one is None or other is None:
            lines.append(f"{case:52} only {'after' if one is None else 'before'}")
            continue
        apart = one["quartiles"][1] < other["quartiles"][0] or other["quartiles"][1] < one["quartiles"][0]
        change = 100 * (other["median"] / one["median"] - 1) if one["median"] else float("nan")
        mark = f"{change:+.1f} %" + ("  CHANGED" if apart else "")
        lines.append(f"{case:52} {one['median']:9.4g} -> {other['median']:9.4g} {one['unit']:6} {mark}")
    return lines


def _written(folder: Path) -> float:
    return max((path.stat().st_mtime for path in folder.glob("*.json")), default=0.0)


def _chosen(name: str, there: list[Path]) -> Path:
    found = [path for path in there if path.name == name] or [path for path in there if path.name.startswith(name)]
    if len(found) != 1:
        what = "several results begin with" if found else "there are no results of"
        names = ", ".join(path.name for path in there) or "none: run make bench"
        sys.exit(f"error: {what} {name}; there are {names}")
    return found[0]


def _last_two(there: list[Path]) -> tuple[Path, Path]:
    if len(there) < 2:
        sys.exit(f"error: two commits' results are needed and there are {len(there)}; run make bench at each of two commits")
    return there[-2], there[-1]


if __name__ == "__main__":
    main()
