"""What the framework costs a training step: `lta.run` with all default callbacks and W&B offline, against a bare loop.

    python benchmarks/framework.py [--width 0.125] [--batch 128] [--steps 20] [--repetitions 8] [--small-repetitions 40]

In one process, `--steps` steps of each in turn (bare_loop.py): same network, images, augmentation, loss, optimiser, schedule
and metrics. The second case is as small as a step can be, on one thread, so that the milliseconds that are added stand out
of the noise; the third is the same without callbacks but checkpoints and signals, which leaves Lightning. The query's
gradient is looked at once in `--steps` steps, as often as in a run by default.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from measuring import Results, arguments, run
from whole_runs import OFFLINE, lta_run

from lta import checks

FEW = [f"callbacks.{name}=null" for name in ("attention_maps", "telemetry", "bar", "lines", "epoch_send", "epoch_log")]


def race(
    width: float,
    batch: int,
    rounds: int,
    steps: int,
    overrides: Sequence[str] = (),
    threads: int | None = None,
    logger: str = OFFLINE,
) -> tuple[list[float], list[float]]:
    """Seconds a step of the run's and of the bare loop's, one of each a round."""
    epoch = batch * (4 * steps + 1)
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "taken.json")
        lta_run(
            directory,
            [
                f"model.width={width}",
                f"data.batch_size={batch}",
                f"data.train_size={epoch}",
                "data.val_size=100",
                "data.test_size=100",
                f"recipe.epochs={rounds + 2}",
                f"callbacks.telemetry.grad_every={steps}",
                "+callbacks.bare._target_=bare_loop.BareLoop",
                f"+callbacks.bare.out={out}",
                f"+callbacks.bare.rounds={rounds}",
                f"+callbacks.bare.steps={steps}",
                *overrides,
            ],
            threads,
            logger,
        )
        taken = json.loads(out.read_text())
    return tuple([seconds / steps for seconds in taken[way]] for way in ("trainer", "bare"))


def main():
    parser = arguments(__doc__, repetitions=8)
    parser.add_argument("--small-repetitions", type=int, default=40)
    parser.add_argument("--width", type=float, default=0.125)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    for name in ("steps", "small_repetitions"):
        checks.require_whole_number(f"--{name.replace('_', '-')}", getattr(options, name), least=1)
    results = Results(options, f"{options.steps} steps of each in turn, W&B offline")
    taken = race(options.width, options.batch, options.repetitions, options.steps)
    results.ratio(f"width {options.width:g}, batch {options.batch}: lta.run / bare loop", *taken, at_most=1.02)
    for which, overrides, bar in (("all callbacks", [], 1.0), ("few callbacks", FEW, None)):
        taken = race(0.03125, 2, options.small_repetitions, options.steps, overrides, threads=1)
        added = [1e3 * (a - b) for a, b in zip(*taken, strict=True)]
        results.figure(f"width 1/32, batch 2: added to a step, {which}", added, "ms", at_most=bar)
    results.save()


if __name__ == "__main__":
    run(main)
