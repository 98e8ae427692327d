"""How long a person waits for the first line and for the first step.

    python benchmarks/start.py [--repetitions 5]

`--cfg job` and `--help`, which need no torch, beside `import torch`; and the first training step of a tiny run, from the
command to the step's end, minus what importing pytorch_lightning and wandb alone takes in the same round.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import Results, alternate, arguments, run
from whole_runs import lta_run

TINY = [
    "experiment=quickstart",
    "model.width=0.0625",
    "data.train_size=320",
    "data.val_size=32",
    "data.test_size=32",
    "recipe.epochs=1",
    "data.batch_size=32",
]


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def first_step() -> float:
    """Seconds from the command to the end of the first training step."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "ends.json")
        begun = time.time()
        timed = {"_target_": "timed_steps.TimedSteps", "out": out, "steps": 1}
        lta_run(directory, [*TINY, *(f"+callbacks.timed.{key}={value}" for key, value in timed.items())])
        return json.loads(out.read_text())[0] - begun


def main():
    options = arguments(__doc__, repetitions=5).parse_args()
    results = Results(options, "whole commands, files in the system's cache")
    firsts = []
    ways = {
        "import torch": lambda: python("-c", "import torch"),
        "import pytorch_lightning, wandb": lambda: python("-c", "import pytorch_lightning, wandb"),
        "lta.run --cfg job": lambda: python("-m", "lta.run", "--cfg", "job"),
        "lta.run --help": lambda: python("-m", "lta.run", "--help"),
        "lta.run to its first step": lambda: firsts.append(first_step()),
    }
    taken = alternate(ways, options.repetitions)
    taken["lta.run to its first step"] = firsts[-options.repetitions :]
    bars = {"lta.run --cfg job": 0.5, "lta.run --help": 0.8}
    for name, seconds in taken.items():
        results.figure(name, seconds, "s", at_most=bars.get(name))
    imports = taken["import pytorch_lightning, wandb"]
    more = [a - b for a, b in zip(taken["lta.run to its first step"], imports, strict=True)]
    results.figure("first step minus import pytorch_lightning, wandb", more, "s", at_most=2.0)
    results.save()


if __name__ == "__main__":
    run(main)
