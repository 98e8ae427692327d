"""lta as a user installs it: from its wheel, outside the checkout."""

import os
import subprocess
import sys
from pathlib import Path

import processes

ROOT = Path(__file__).resolve().parents[1]


def install_wheel(folder: Path) -> Path:
    """Builds the wheel and installs it, without what it needs, into the folder that is returned."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT], check=True)
    (wheel,) = folder.glob("lta-*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--no-compile", "--target", site, wheel], check=True)
    return site


def run_installed(site: Path, cwd: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A Python command with the lta in `site`."""
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    return processes.run([sys.executable, *arguments], cwd=cwd, env=environment)
