"""The authors' gradient: averaged where a tensor has several readers (author_spec section 4)."""

from torch import nn

from lta.layers.junction import Junction


def average_at_junctions(network: nn.Module, averaging: bool) -> None:
    """Switches all junctions of `network`. With `averaging` what training follows is not the gradient of the loss."""
    for module in network.modules():
        if isinstance(module, Junction):
            module.averaging = averaging
