"""A training step of vgg_att3 (pc), against the network as one would write it from the paper (textbook.py).

    python benchmarks/step.py [--widths 0.125 0.25 1] [--batch 64] [--repetitions 15] [--device cpu]

Forward, loss, backward and SGD, the authors' dropout, channels last; bf16 where the device is faster in it, else
fp32. lta's network leaves the inert global branch out (model.prune_inert_query=true); `kept` has it. Also shown: the
textbook network as PyTorch has it by default, fp32 in NCHW.
"""

import torch
from measuring import alternate, run
from steps import begin, step_of, waiting
from textbook import TextbookVGGAtt3

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention

BARS = {0.125: 1.9, 0.25: 1.9, 1.0: 1.4}


def main():
    options, results = begin(__doc__, repetitions=15, widths=list(BARS))
    for width in options.widths:
        torch.manual_seed(0)
        networks = {
            "textbook": TextbookVGGAtt3(10, width),
            "textbook fp32 NCHW": TextbookVGGAtt3(10, width),
            "kept": vgg_attention(10, "ABC", Parametrised, width=width),
            "lta": vgg_attention(10, "ABC", Parametrised, width=width, prune_inert_query=True),
        }
        steps = {
            name: step_of(
                network, options.batch, options.device, *(("fp32", False) if "NCHW" in name else (options.precision, True))
            )
            for name, network in networks.items()
        }
        taken = alternate(steps, options.repetitions, warm_up=3, wait=waiting(options.device))
        results.ratio(f"width {width:g}: textbook / lta", taken["textbook"], taken["lta"], at_least=BARS.get(width))
        results.ratio(f"width {width:g}: textbook / lta, branch kept", taken["textbook"], taken["kept"])
        results.ratio(f"width {width:g}: textbook fp32 NCHW / lta", taken["textbook fp32 NCHW"], taken["lta"])
    results.save()


if __name__ == "__main__":
    run(main)
