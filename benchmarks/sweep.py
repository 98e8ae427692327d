"""What the sweep launcher gains and costs: jobs on two slots against one, and its own time for each job.

    python benchmarks/sweep.py [--jobs 8] [--train-size 2000] [--epochs 3] [--trivial 8] [--repetitions 3]

Gain: the same short CPU trainings, one thread each, two at a time and one at a time; printed is the ratio of the two times
(bar: 0.6 on two cores or more). Cost: a sweep of so many trivial jobs minus a sweep of one, for each job more, minus what
the same job takes when it is started alone (bar: 0.5 s).
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measuring import Results, arguments, run

TRIVIAL = [sys.executable, str(Path(__file__).resolve().parent / "trivial_job.py")]
TRAINING = [sys.executable, "-m", "lta.run"]
SHORT = [
    "experiment=quickstart",
    "model.width=0.0625",
    "data.val_size=32",
    "data.test_size=32",
    "logger=none",
    "trainer=cpu",
]


def seconds(command: list[str]) -> float:
    """Of a command in an empty directory of its own, so that nothing is skipped as done."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as directory:
        begin = time.perf_counter()
        ended = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
        taken = time.perf_counter() - begin
    if ended.returncode:
        sys.exit(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
    return taken


def seeds(number: int) -> str:
    return "seed=" + ",".join(map(str, range(number)))


def main():
    parser = arguments(__doc__, repetitions=3)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--train-size", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--trivial", type=int, default=8, help="jobs, at least 2")
    options = parser.parse_args()
    if options.trivial < 2:
        raise ValueError(f"--trivial={options.trivial} must be at least 2")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    results = Results(options, f"jobs of one thread each on {cores} cores")
    costs = []
    for _ in range(options.repetitions):
        alone = seconds([*TRIVIAL, "seed=0"])
        one, several = (seconds([*TRIVIAL, "-m", seeds(n), "hydra.launcher.slots=1"]) for n in (1, options.trivial))
        costs.append((several - one) / (options.trivial - 1) - alone)
        print(f"cost: alone {alone:.2f} s, a sweep of 1 {one:.2f} s, of {options.trivial} {several:.2f} s", flush=True)
    results.figure("the launcher, a job beyond its own start", costs, "s", at_most=0.5)
    training = [*TRAINING, "-m", *SHORT, f"data.train_size={options.train_size}", f"recipe.epochs={options.epochs}"]
    taken = {slots: seconds([*training, seeds(options.jobs), f"hydra.launcher.slots={slots}"]) for slots in (1, 2)}
    results.ratio(f"{options.jobs} jobs on two slots / on one", [taken[2]], [taken[1]], at_most=0.6 if cores > 1 else None)
    results.save()


if __name__ == "__main__":
    run(main)
