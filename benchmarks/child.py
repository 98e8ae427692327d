"""One measurement in a process of its own, for what a process keeps: memory above all."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def resident_mb(which: str) -> float:
    """Of this process (Linux); `which`: VmRSS, now, or VmHWM, the most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(which + ":"))


def asked(*arguments: Any) -> Any:
    """What this very script answers to `--child` and the arguments: it prints one line of JSON."""
    command = [sys.executable, sys.argv[0], "--child", *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
