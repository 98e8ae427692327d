"""Which code runs, and on what machine. Imports no torch."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lta


def code_version(own_code: Sequence[Path] = ()) -> str:
    """Twelve hexadecimal digits that change when any file of the package does, with or without git, or any in `own_code`:
    files and folders of code that a configuration names beside lta's (`lta.cli.plugins.find_own_code`)."""
    package = Path(lta.__file__).resolve().parent
    digest = hashlib.sha256()
    for place in (package, *own_code):
        for path in _list_files(place):
            if place == package and path.is_relative_to(package / "conf"):
                continue  # in a wheel; what of it a run uses is in the run's configuration
            digest.update(path.relative_to(place.parent).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _list_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(path for path in place.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def source_state(own_code: Sequence[Path] = ()) -> dict[str, Any]:
    """Which code runs: its own version, and the git commit, None outside a git checkout."""
    return {"code": code_version(own_code), "git": _git_state()}


def describe_machine() -> dict[str, Any]:
    """What this runs on."""
    return {"system": platform.platform(), "processor": _processor(), "cores": os.cpu_count()}


def _git_state() -> dict[str, Any] | None:
    """Commit of the code that runs, and whether it was changed since; None outside a git checkout."""
    git = ["git", "-C", str(Path(__file__).resolve().parent)]
    try:
        tracked = subprocess.run([*git, "ls-files", "--error-unmatch", Path(__file__).name], capture_output=True)
        if tracked.returncode:
            return None  # installed into some other project's checkout
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "changed": bool(changed.strip())}


def _processor() -> str:
    """The processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
