"""What attention costs: a training step of vgg_att3 (pc) against vgg_late, the same trunk without attention.

    python benchmarks/attention_share.py [--widths 0.25 1] [--batch 64] [--repetitions 9]

Steps of the three networks alternate, so that a noisy machine slows all of them alike; printed are medians and the
median of the ratios within a round. `kept` has the inert global branch, `pruned` leaves it out.
"""

import argparse
import platform
import statistics
import time

import torch

from lta.layers.compatibility import Parametrised
from lta.models.vgg_family import vgg_attention, vgg_late
from lta.training.devices import bfloat16_is_native


def step_of(network, optimizer, images, labels, bfloat16):
    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = network(images).logits
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(logits.float(), labels).backward()
        optimizer.step()

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=float, nargs="+", default=[0.25, 1.0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    bfloat16 = bfloat16_is_native("cpu")
    precision = "bf16" if bfloat16 else "fp32"
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {precision}, {platform.machine()}")
    for width in options.widths:
        torch.manual_seed(0)
        images = torch.randn(options.batch, 3, 32, 32).contiguous(memory_format=torch.channels_last)
        labels = torch.randint(0, 10, (options.batch,))
        networks = {
            "vgg_late": vgg_late(10, width=width),
            "kept": vgg_attention(10, "ABC", Parametrised, width=width),
            "pruned": vgg_attention(10, "ABC", Parametrised, width=width, prune_inert_query=True),
        }
        steps = {}
        for name, network in networks.items():
            network = network.to(memory_format=torch.channels_last)
            steps[name] = step_of(network, torch.optim.SGD(network.parameters(), 0.01, 0.9), images, labels, bfloat16)
        taken = {name: [] for name in steps}
        for repetition in range(options.repetitions + 1):
            for name, step in steps.items():
                begin = time.perf_counter()
                step()
                if repetition:  # the first round warms up
                    taken[name].append(time.perf_counter() - begin)
        for name, seconds in taken.items():
            ratio = statistics.median(a / b for a, b in zip(seconds, taken["vgg_late"], strict=True))
            print(f"width {width:<6} {name:9} {1000 * statistics.median(seconds):9.1f} ms   {ratio:.3f} x vgg_late")


if __name__ == "__main__":
    main()
