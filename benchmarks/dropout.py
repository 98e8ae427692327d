"""What `lta.layers.dropout.relu_dropout` saves: ReLU and dropout, forward and backward, against torch's two modules.

    python benchmarks/dropout.py [--threads 1 2] [--repetitions 15]

The shapes are of a batch of 64: conv 1 of the VGG at widths 1 and 0.25, conv 8 at both.
"""

import torch
from measuring import Results, alternate, arguments, run
from torch import nn

from lta.layers.dropout import Layers

SHAPES = ((64, 64, 32, 32), (64, 16, 32, 32), (64, 512, 8, 8), (64, 128, 8, 8))


def main():
    parser = arguments(__doc__, repetitions=15)
    parser.add_argument("--threads", type=int, nargs="+", default=[torch.get_num_threads()])
    options = parser.parse_args()
    results = Results(options, f"rate 0.4, threads {', '.join(map(str, options.threads))}")
    ways = {"torch": nn.Sequential(nn.ReLU(True), nn.Dropout(0.4)), "lta": Layers(nn.ReLU(True), nn.Dropout(0.4))}
    for threads in options.threads:
        torch.set_num_threads(threads)
        for dtype in (torch.float32, torch.bfloat16):
            for shape in SHAPES:
                x = torch.randn(shape).to(dtype).contiguous(memory_format=torch.channels_last)
                gradient = torch.randn_like(x)

                def pass_through(layers, x=x, gradient=gradient):
                    given = x.clone().requires_grad_() * 1  # not a leaf: the ReLU overwrites it
                    layers(given).backward(gradient)

                taken = alternate(
                    {name: lambda way=way: pass_through(way) for name, way in ways.items()}, options.repetitions, 2
                )
                case = f"{threads} threads {str(dtype).removeprefix('torch.')} {'x'.join(map(str, shape))}: torch / lta"
                results.ratio(case, taken["torch"], taken["lta"], at_least=2.5)
    results.save()


if __name__ == "__main__":
    run(main)
