"""What a pretrained vision transformer attends to by itself: a map that nothing here has taught, beside those that are."""

from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor

from lta.measures.placement import Placement, place_in_picture
from lta.protocols import Network, TrainedClassifier

NAME = "class token"


def compute_own_attention(
    classifier: TrainedClassifier, images: UInt8[Tensor, "batch 3 height width"]
) -> dict[str, Float[Tensor, "batch rows columns"]]:
    """By NAME how the class token attends in the last block, mean over heads; {} of a network on anything but a pretrained
    ViT."""
    trunk = _find_transformer(classifier.network)
    return {} if trunk is None else {NAME: trunk.compute_attention(classifier.preprocess(images))[1]["class_token"]}


def place_own_attention(network: Network, size: tuple[int, int]) -> dict[str, Placement]:
    """Where its cells lie in pictures of `size` (height, width)."""
    trunk = _find_transformer(network)
    return {} if trunk is None else {NAME: place_in_picture(trunk.cells_in(size)["D"], size)}


def _find_transformer(network: Network) -> Any:
    trunk: Any = getattr(network, "trunk", None)
    return trunk if getattr(trunk, "has_class_token", False) and not trunk.is_random else None
