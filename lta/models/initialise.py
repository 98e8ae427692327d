"""Initial weights: the authors' Torch7 scheme and the one attention trains well from (author_spec section 1)."""

import math
from collections.abc import Mapping
from typing import TypeVar

from torch import nn

from lta import checks
from lta.layers.compatibility import Scorer

CONV_INITS = ("fan_out", "fan_in", "dirac")
SCORER_INITS = ("zero", "author")
BATCHNORM_INITS = ("one", "uniform")

Network = TypeVar("Network", bound=nn.Module)


def initialise_network(network: Network, init: Mapping[str, str] | None) -> Network:
    """`network` after `initialise`, which takes the entries of `init`."""
    if not isinstance(init or {}, Mapping):
        raise ValueError(f"model.init={init} must be given by its parts: model.init.scorer=..., model.init.batchnorm=...")
    initialise(network, **(init or {}))
    return network


def initialise(network: nn.Module, scorer: str = "zero", batchnorm: str = "one", conv: str = "fan_out") -> None:
    """Sets every weight of `network` in place, drawing from torch's global generator.

    Linear layers are U(+-1/sqrt(fan_in)), weight and bias, the other biases 0. `conv`: N(0, 2 / (k k channels)) with the
    output's channels ("fan_out", the authors') or the input's ("fan_in"), or "dirac": U(+-1/sqrt(fan_in)), but that the
    first filters, as many as channels come in, are the identity (arXiv 2404.00498). `scorer`: "zero" starts maps of `pc` and
    `additive` uniform; "author" is the fan-out rule for one output, N(0, 2) for each weight, which starts them almost
    one-hot. `batchnorm`: gain 1, or Torch7's U(0, 1).
    """
    checks.require_choice("model.init.conv", conv, CONV_INITS)
    checks.require_choice("model.init.scorer", scorer, SCORER_INITS)
    checks.require_choice("model.init.batchnorm", batchnorm, BATCHNORM_INITS)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            _initialise_weight(module, conv)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            bound = 1 / math.sqrt(module.in_features)
            nn.init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
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


def _initialise_weight(module: nn.Conv2d, conv: str) -> None:
    fan_in, fan_out = (module.kernel_size[0] * module.kernel_size[1] * c for c in (module.in_channels, module.out_channels))
    if conv == "dirac":
        bound = 1 / math.sqrt(fan_in)
        nn.init.uniform_(module.weight, -bound, bound)
        nn.init.dirac_(module.weight.data[: module.in_channels])
    else:
        nn.init.normal_(module.weight, std=math.sqrt(2 / (fan_out if conv == "fan_out" else fan_in)))
