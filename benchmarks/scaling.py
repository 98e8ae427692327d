"""Images a second and memory of a training step of vgg_att3 (pc, pruned) against width, batch and picture size.

    python benchmarks/scaling.py [--repetitions 3]

Each point in a process of its own: two steps to warm up, then at least three and as many as fit into four seconds; the
largest resident set of the process. Precision as `trainer.precision=auto` takes it. Numbers of processes: processes.py.
These are figures, not ratios: they hold for one machine, at one time. docs/performance.md reads them.
"""

import json
import sys
import time

from child import asked, resident_mb
from measuring import run
from steps import begin, step_of

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention

POINTS = {
    "width": [(width, 64, 32) for width in (0.0625, 0.125, 0.25, 0.5, 1.0)],
    "batch": [(0.125, batch, 32) for batch in (16, 32, 64, 128, 256, 512)],
    "picture": [(0.125, 64, size) for size in (32, 48, 64, 96)],
}
"""(width, batch, size)"""
SECONDS = 4


def child(width: float, batch: int, size: int, precision: str) -> None:
    network = vgg_attention(10, "ABC", Parametrised, width=width, prune_inert_query=True)
    step = step_of(network, batch, "cpu", precision, size=size)
    step(), step()
    steps, begun = 0, time.perf_counter()
    while steps < 3 or time.perf_counter() - begun < SECONDS:
        step()
        steps += 1
    print(json.dumps([steps * batch / (time.perf_counter() - begun), resident_mb("VmHWM")]))


def main():
    options, results = begin(__doc__, repetitions=3, widths=[])
    for against, points in POINTS.items():
        for width, batch, size in points:
            found = [asked(width, batch, size, options.precision) for _ in range(options.repetitions)]
            case = f"{against}: width {width:g}, batch {batch}, {size}x{size}"
            results.figure(case, [images for images, _ in found], "images/s")
            results.figure(f"{case}: memory", [memory for _, memory in found], "MB")
    results.save()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        run(main)
