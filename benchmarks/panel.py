"""What the attention panel and the telemetry cost an epoch of 50,000 images (5,000 of them for validation), W&B offline.

    python benchmarks/panel.py [--width 0.125] [--repetitions 6]

One run, in whose every other epoch the two callbacks take part. It trains on fewer images: what they add to the rest of an
epoch (maps of the validation images, the panel, its file, W&B) does not depend on those, and is divided by the time of
45,000 images at this run's speed and of the rest. What they add to a step is in framework.py.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from measuring import Results, arguments, run
from whole_runs import OFFLINE, lta_run

BATCH, STEPS, TRAIN, VAL = 128, 6, 45_000, 5000


class Taken(NamedTuple):
    """Seconds, one of each a round: what the two callbacks add to an epoch, an epoch without them and with them."""

    added: list[float]
    without: list[float]
    with_both: list[float]


def measure(
    width: float, rounds: int, batch: int = BATCH, val: int = VAL, overrides: Sequence[str] = (), logger: str = OFFLINE
) -> Taken:
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "taken.json")
        lta_run(
            directory,
            [
                f"model.width={width}",
                f"data.batch_size={batch}",
                f"data.train_size={batch * STEPS}",
                f"data.val_size={val}",
                "data.test_size=100",
                f"recipe.epochs={2 * rounds + 3}",
                "+callbacks.other._target_=every_other_epoch.EveryOtherEpoch",
                f"+callbacks.other.out={out}",
                "+callbacks.other.names=[AttentionMaps,AttentionTelemetry]",
                *overrides,
            ],
            logger=logger,
        )
        taken = json.loads(out.read_text())
    on, off = taken["with"], taken["without"]
    added = [a - b for a, b in zip(on["rest"], off["rest"], strict=True)]
    whole = [steps * TRAIN / (batch * STEPS) + rest for steps, rest in zip(off["steps"], off["rest"], strict=True)]
    return Taken(added, whole, [epoch + more for epoch, more in zip(whole, added, strict=True)])


def main():
    parser = arguments(__doc__, repetitions=6)
    parser.add_argument("--width", type=float, default=0.125)
    options = parser.parse_args()
    results = Results(options, f"{VAL} validation images, batch {BATCH}")
    taken = measure(options.width, options.repetitions)
    case = f"width {options.width:g}: "
    results.figure(case + "added to an epoch", taken.added, "s")
    results.ratio(case + "an epoch with / without", taken.with_both, taken.without, at_most=1.02)
    results.save()


if __name__ == "__main__":
    run(main)
