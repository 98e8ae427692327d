"""What attention costs: a training step with pc at three levels against the same trunk without attention.

    python benchmarks/attention_share.py [--widths 0.25 1] [--batch 64] [--repetitions 21] [--device cpu]

vgg_att3 against vgg_late at every width, and air_att3 against air, at width 1. `kept` has the inert global branch, `pruned`
leaves it out. Precision as in step.py.
"""

from collections.abc import Mapping
from functools import partial

import torch
from measuring import Results, alternate, run
from steps import begin, step_of, waiting
from torch import nn

from lta.layers.compatibility import Parametrised
from lta.models.air_family import air, air_attention
from lta.models.vgg_family import vgg_attention, vgg_late

BARS = {"vgg": {"pruned": 1.06, "kept": 1.09}, "air": {"pruned": 1.08, "kept": 1.08}}
WIDTHS = [0.25, 1.0]
"""For which the bars of vgg are meant."""


def compare(results: Results, options, case: str, networks: Mapping[str, nn.Module], bars: Mapping[str, float]) -> None:
    """Each network of `bars` against the one called "trunk"."""
    steps = {name: step_of(network, options.batch, options.device, options.precision) for name, network in networks.items()}
    taken = alternate(steps, options.repetitions, warm_up=3, wait=waiting(options.device))
    for name in networks:
        if name != "trunk":
            results.ratio(case.format(name), taken[name], taken["trunk"], at_most=bars.get(name))


def main():
    options, results = begin(__doc__, repetitions=21, widths=WIDTHS)
    torch.manual_seed(0)
    for width in options.widths:
        att3 = partial(vgg_attention, 10, "ABC", Parametrised, width=width)
        networks = {"trunk": vgg_late(10, width=width), "kept": att3(), "pruned": att3(prune_inert_query=True)}
        case = f"width {width:g}: vgg_att3 ({{}}) / vgg_late"
        compare(results, options, case, networks, BARS["vgg"] if width in WIDTHS else {})
    att3 = partial(air_attention, 10, "ABC", Parametrised)
    networks = {"trunk": air(10), "kept": att3(), "pruned": att3(prune_inert_query=True)}
    compare(results, options, "air_att3 ({}) / air", networks, BARS["air"])
    results.save()


if __name__ == "__main__":
    run(main)
