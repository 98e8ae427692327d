"""What the attention panel and the telemetry cost an epoch of 50,000 images (5,000 of them for validation), W&B offline.

    python benchmarks/panel.py [--width 0.125] [--repetitions 6]

One run, in whose every other epoch the two callbacks take part. It trains on fewer images: what they add to the rest of an
epoch (maps of the validation images, the panel, its file, W&B) does not depend on those, and is divided by the time of
45,000 images at this run's speed and of the rest. What they add to a step is in framework.py.
"""

import json
import tempfile
from pathlib import Path

from measuring import Results, arguments, run
from whole_runs import lta_run

BATCH, STEPS, TRAIN, VAL = 128, 6, 45_000, 5000


def main():
    parser = arguments(__doc__, repetitions=6)
    parser.add_argument("--width", type=float, default=0.125)
    options = parser.parse_args()
    results = Results(options, f"{VAL} validation images, batch {BATCH}")
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory, "taken.json")
        lta_run(
            directory,
            [
                f"model.width={options.width}",
                f"data.batch_size={BATCH}",
                f"data.train_size={BATCH * STEPS}",
                f"data.val_size={VAL}",
                "data.test_size=100",
                f"recipe.epochs={2 * options.repetitions + 3}",
                "+callbacks.other._target_=every_other_epoch.EveryOtherEpoch",
                f"+callbacks.other.out={out}",
                "+callbacks.other.names=[AttentionMaps,AttentionTelemetry]",
            ],
        )
        taken = json.loads(out.read_text())
    on, off = taken["with"], taken["without"]
    case = f"width {options.width:g}: "
    results.figure(case + "added to an epoch", [a - b for a, b in zip(on["rest"], off["rest"], strict=True)], "s")
    whole = [steps * TRAIN / (BATCH * STEPS) + rest for steps, rest in zip(off["steps"], off["rest"], strict=True)]
    more = [epoch + a - b for epoch, a, b in zip(whole, on["rest"], off["rest"], strict=True)]
    results.ratio(case + "an epoch with / without", more, whole, at_most=1.02)
    results.save()


if __name__ == "__main__":
    run(main)
