"""What attention costs: a training step of vgg_att3 (pc) against vgg_late, the same trunk without attention.

    python benchmarks/attention_share.py [--widths 0.25 1] [--batch 64] [--repetitions 21] [--device cpu]

`kept` has the inert global branch, `pruned` leaves it out. Precision as in step.py.
"""

import torch
from measuring import alternate, run
from steps import begin, step_of, waiting

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention, vgg_late

BARS = {"pruned": 1.06, "kept": 1.09}
WIDTHS = [0.25, 1.0]
"""For which the bars are meant."""


def main():
    options, results = begin(__doc__, repetitions=21, widths=WIDTHS)
    for width in options.widths:
        torch.manual_seed(0)
        networks = {
            "vgg_late": vgg_late(10, width=width),
            "kept": vgg_attention(10, "ABC", Parametrised, width=width),
            "pruned": vgg_attention(10, "ABC", Parametrised, width=width, prune_inert_query=True),
        }
        steps = {
            name: step_of(network, options.batch, options.device, options.precision) for name, network in networks.items()
        }
        taken = alternate(steps, options.repetitions, warm_up=3, wait=waiting(options.device))
        for name, bar in BARS.items():
            results.ratio(
                f"width {width:g}: vgg_att3 ({name}) / vgg_late",
                taken[name],
                taken["vgg_late"],
                at_most=bar if width in WIDTHS else None,
            )
    results.save()


if __name__ == "__main__":
    run(main)
