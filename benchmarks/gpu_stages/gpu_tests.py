"""The tests that are marked `gpu`, in a process of their own."""

import importlib.util
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gpu_stages.settings import Settings
from gpu_stages.stage import Absent

TESTS = Path(__file__).resolve().parents[2] / "tests"


def run_gpu_tests(settings: Settings, seconds: float) -> dict[str, Any]:
    """Counts, and what failed. Raises Absent where there are no tests or nothing to run them with."""
    missing = [name for name in ("pytest", "beartype", "jaxtyping") if importlib.util.find_spec(name) is None]
    if missing:
        raise Absent(f"the tests need {', '.join(missing)}")
    if not (folder := TESTS / "gpu").is_dir():
        raise Absent(f"there is no {folder.relative_to(TESTS.parent)} here")
    kept = (settings.out / "gpu_tests.xml").resolve()
    kept.unlink(missing_ok=True)
    chosen = ["-q", "-m", "gpu", "--tb=short", "-p", "no:cacheprovider", f"--junitxml={kept}", str(folder)]
    command = [sys.executable, "-m", "pytest", *chosen]
    with (settings.out / "gpu_tests.log").open("w") as log, suppress(subprocess.TimeoutExpired):
        subprocess.run(command, cwd=TESTS.parent, stdout=log, stderr=log, timeout=seconds)
    if not kept.exists():
        raise RuntimeError(f"pytest gave no results within {seconds:.0f} s: see gpu_tests.log")
    return read_results(kept)


def read_results(path: Path) -> dict[str, Any]:
    """Of pytest's JUnit XML."""
    cases = list(ElementTree.parse(path).iter("testcase"))
    failed = {
        f"{case.get('classname')}::{case.get('name')}": (problem.get("message") or "").partition("\n")[0]
        for case in cases
        for problem in case
        if problem.tag in ("failure", "error")
    }
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {"passed": len(cases) - len(failed) - skipped, "skipped": skipped, "failed": failed}
