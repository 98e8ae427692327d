"""What `lta.layers.dropout.relu_dropout` saves: ReLU and dropout, forward and backward, against torch's two modules.

    python benchmarks/dropout.py [--threads 1 2] [--repetitions 15]

The shapes are of a batch of 64: conv 1 of the VGG at widths 1 and 0.25, conv 8 at both. The two ways alternate, so that a
noisy machine slows both alike; printed are torch's median and the median of the ratios within a round (above 1: quicker).
"""

import argparse
import platform
import statistics
import time

import torch
from torch import nn

from lta.layers.dropout import Layers

SHAPES = ((64, 64, 32, 32), (64, 16, 32, 32), (64, 512, 8, 8), (64, 128, 8, 8))


def seconds(layers, x, gradient):
    given = x.clone().requires_grad_() * 1  # not a leaf: the ReLU overwrites it
    begin = time.perf_counter()
    layers(given).backward(gradient)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()])
    parser.add_argument("--repetitions", type=int, default=15)
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {platform.machine()}")
    ways = {"torch": nn.Sequential(nn.ReLU(True), nn.Dropout(0.4)), "lta": Layers(nn.ReLU(True), nn.Dropout(0.4))}
    for threads in options.threads:
        torch.set_num_threads(threads)
        for dtype in (torch.float32, torch.bfloat16):
            for shape in SHAPES:
                x = torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)
                gradient = torch.randn_like(x)
                taken = {name: [] for name in ways}
                for repetition in range(options.repetitions + 2):
                    for name, layers in ways.items():
                        spent = seconds(layers, x, gradient)
                        if repetition > 1:  # the first rounds warm up
                            taken[name].append(spent)
                ratio = statistics.median(a / b for a, b in zip(taken["torch"], taken["lta"], strict=True))
                print(
                    f"{threads} threads  {str(dtype).removeprefix('torch.'):8}  {'x'.join(map(str, shape)):11}"
                    f"  torch {1e3 * statistics.median(taken['torch']):6.2f} ms  lta x {ratio:.2f}"
                )


if __name__ == "__main__":
    main()
