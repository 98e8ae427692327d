"""Which code runs, and on what machine. Imports no torch."""

import hashlib
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import lta


def code_version() -> str:
    """Twelve hexadecimal digits that change when any of the package's Python files does, with or without git."""
    package = Path(lta.__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def source_state() -> dict[str, Any]:
    """Which code runs: its own version, and the git commit, None outside a git checkout."""
    return {"code": code_version(), "git": _git_state()}


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
