"""The memory of a training step: lta's vgg_att3 (pc) against the network as one would write it (textbook.py).

    python benchmarks/memory.py [--widths 0.25 1] [--batch 64] [--repetitions 3]

Each network in a process of its own, three steps; the largest resident set of the process, and the same minus what it held
before the first step (torch, the network). Precision, dropout and layout as in step.py; on the CPU under Linux.
"""

import json
import sys

from child import asked, resident_mb
from measuring import run
from steps import begin, step_of
from textbook import TextbookVGGAtt3

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention

NETWORKS = {
    "textbook": lambda width: TextbookVGGAtt3(10, width),
    "lta": lambda width: vgg_attention(10, "ABC", Parametrised, width=width, prune_inert_query=True),
}
WIDTHS = [0.25, 1.0]


def child(name: str, width: float, batch: int, precision: str) -> None:
    step = step_of(NETWORKS[name](width), batch, "cpu", precision)
    before = resident_mb("VmRSS")
    for _ in range(3):
        step()
    print(json.dumps([resident_mb("VmHWM"), resident_mb("VmHWM") - before]))


def main():
    options, results = begin(__doc__, repetitions=3, widths=WIDTHS)
    for width in options.widths:
        found = {name: [] for name in NETWORKS}
        for _ in range(options.repetitions):
            for name, taken in found.items():
                taken.append(asked(name, width, options.batch, options.precision))
        for place, (of, bar) in enumerate({"peak": 0.8, "peak above the start": None}.items()):
            lta, textbook = ([one[place] for one in found[name]] for name in ("lta", "textbook"))
            results.ratio(f"width {width:g}: {of}, lta / textbook", lta, textbook, at_most=bar, unit="MB")
    results.save()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
    else:
        run(main)
