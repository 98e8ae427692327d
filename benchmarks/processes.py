"""Two processes of one thread (DDP, gloo) against one process of two threads, on a CPU of two cores or more.

    python benchmarks/processes.py [--width 0.125] [--batch 128] [--steps 20] [--repetitions 5]

Whole runs in turn; of each, the time between the end of the 5th and of the last of `--steps` steps. A batch has the same
images in all, whatever the number of processes.
"""

import json
import tempfile
from pathlib import Path

from measuring import Results, arguments, run
from whole_runs import lta_run

from lta import checks

WARM_UP = 5
WAYS = {"1 x 2": (2, []), "2 x 1": (1, ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"])}
"""Threads of a process, and overrides."""


def seconds(width: float, batch: int, steps: int, threads: int, overrides: list[str]) -> float:
    """A step."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "ends.json")
        lta_run(
            directory,
            [
                f"model.width={width}",
                f"data.batch_size={batch}",
                f"data.train_size={batch * steps}",
                "data.val_size=100",
                "data.test_size=100",
                "recipe.epochs=1",
                "+callbacks.timed._target_=timed_steps.TimedSteps",
                f"+callbacks.timed.out={out}",
                f"+callbacks.timed.steps={steps}",
                *overrides,
            ],
            threads,
        )
        ends = json.loads(out.read_text())
    return (ends[-1] - ends[WARM_UP - 1]) / (steps - WARM_UP)


def main():
    parser = arguments(__doc__, repetitions=5)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    checks.require_whole_number("--steps", options.steps, least=WARM_UP + 1)
    results = Results(options, f"{options.steps - WARM_UP} steps of each in turn, batch {options.batch}")
    taken = {name: [] for name in WAYS}
    for _ in range(options.repetitions):
        for name, (threads, overrides) in WAYS.items():
            taken[name].append(seconds(options.width, options.batch, options.steps, threads, overrides))
    case = f"width {options.width:g}: 1 process x 2 threads / 2 x 1"
    results.ratio(case, taken["1 x 2"], taken["2 x 1"], at_least=1.05)
    results.save()


if __name__ == "__main__":
    run(main)
