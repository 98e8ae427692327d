"""What the framework costs a training step: `lta.run` with all default callbacks and W&B offline, against a bare loop.

    python benchmarks/framework.py [--width 0.125] [--batch 128] [--steps 10] [--repetitions 12] [--small-repetitions 40]

In one process, `--steps` steps of each in turn (bare_loop.py): same network, images, augmentation, loss, optimiser, schedule
and metrics. The second case is as small as a step can be, so that the milliseconds that are added stand out of the noise.
The query's gradient is looked at once in `--steps` steps, by default twice as often as in a run.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import Results, arguments, run

from lta import checks

HERE = Path(__file__).resolve().parent


def race(width: float, batch: int, rounds: int, steps: int) -> tuple[list[float], list[float]]:
    """Seconds a step of the run's and of the bare loop's, one of each a round."""
    epoch = batch * (4 * steps + 1)
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "taken.json")
        command = [
            sys.executable, "-m", "lta.run", f"model.width={width}", f"data.batch_size={batch}", f"data.train_size={epoch}",
            "data.val_size=100", "data.test_size=100", f"recipe.epochs={rounds + 2}", "logger.wandb.mode=offline",
            f"callbacks.telemetry.grad_every={steps}", "+callbacks.bare._target_=bare_loop.BareLoop",
            f"+callbacks.bare.out={out}", f"+callbacks.bare.rounds={rounds}", f"+callbacks.bare.steps={steps}",
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])}
        ended = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
        if ended.returncode:
            raise ValueError(f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        taken = json.loads(out.read_text())
    return tuple([seconds / steps for seconds in taken[way]] for way in ("trainer", "bare"))


def main():
    parser = arguments(__doc__, repetitions=12)
    parser.add_argument("--small-repetitions", type=int, default=40)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    for name in ("steps", "small_repetitions"):
        checks.whole(f"--{name.replace('_', '-')}", getattr(options, name), least=1)
    results = Results(options, f"{options.steps} steps of each in turn, W&B offline")
    for width, batch, rounds, bars in (
        (options.width, options.batch, options.repetitions, {"at_most": 1.02}),
        (0.03125, 2, options.small_repetitions, {}),
    ):
        trainer, bare = race(width, batch, rounds, options.steps)
        case = f"width {width:g}, batch {batch}"
        results.ratio(f"{case}: lta.run / bare loop", trainer, bare, **bars)
        added = [1e3 * (a - b) for a, b in zip(trainer, bare, strict=True)]
        results.figure(f"{case}: added to a step", added, "ms", at_most=None if bars else 1.0)
    results.save()


if __name__ == "__main__":
    run(main)
