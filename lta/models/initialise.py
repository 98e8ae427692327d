"""Initial weights: the authors' Torch7 scheme and the one attention trains well from (author_spec section 1)."""

import math

from torch import nn

from lta import checks
from lta.layers.compatibility import Scorer

SCORER_INITS = ("zero", "author")
BATCHNORM_INITS = ("one", "uniform")


def initialise(network: nn.Module, scorer: str = "zero", batchnorm: str = "one") -> None:
    """Sets every weight of `network` in place, drawing from torch's global generator.

    Convolutions are N(0, 2 / (k k outputs)) (fan-out) with bias 0, linear layers U(+-1/sqrt(fan_in)), weight and bias.
    `scorer`: "zero" starts every map of `pc` and `additive` uniform; "author" is the fan-out rule for one output,
    N(0, 2) for each weight, which starts them almost one-hot. `batchnorm`: gain 1, or Torch7's U(0, 1).
    """
    checks.choice("model.init.scorer", scorer, SCORER_INITS)
    checks.choice("model.init.batchnorm", batchnorm, BATCHNORM_INITS)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            fan_out = module.kernel_size[0] * module.kernel_size[1] * module.out_channels
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound)
            nn.init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            if batchnorm == "one":
                nn.init.ones_(module.weight)
            else:
                nn.init.uniform_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, Scorer):
            if scorer == "zero":
                nn.init.zeros_(module.weight)
            else:
                nn.init.normal_(module.weight, std=math.sqrt(2))
            nn.init.zeros_(module.bias)
