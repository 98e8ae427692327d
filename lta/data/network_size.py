"""The size of pictures that a network asks for, where nothing else is said."""

from collections.abc import Mapping, Sequence
from typing import Any

from lta.protocols import Network
from lta.runtime.run_directory import OWN_SIDE

OWN = (OWN_SIDE, OWN_SIDE)
"""(height, width) of the networks of lta, which were made for CIFAR's pictures."""


def find_input_size(network: Network) -> tuple[int, int]:
    """(height, width) that a network's trunk was made for; of one that does not say it, OWN."""
    return getattr(getattr(network, "trunk", None), "input_size", OWN)


def fill_image_size(config: Mapping[str, Any], size: Sequence[int]) -> dict[str, Any]:
    """The settings of data, with `size` (height, width) where their image_size is null: the network's own."""
    filled = dict(config)
    if "image_size" in filled and filled["image_size"] is None:
        filled["image_size"] = list(size)
    return filled
