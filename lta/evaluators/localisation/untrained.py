"""What a pretrained backbone shows of pictures by itself: what learned maps on it have to beat.

- "feature_length": how long the vector of features at each place of level C is (not standardised).
- "own_class": the class activation map (Zhou et al. 2016) of the class that its own class layer predicts, positive part, at
  level D; for backbones whose class layer is one linear layer behind an average of those features.
- "class_token": of a ViT, the attention of the class token in the last block, mean over heads.
- "rollout": the same through all blocks (`lta.models.backbone_attention`).
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lta.evaluators.passes import run_forward_passes
from lta.measures.placement import Placement, place_in_picture
from lta.protocols import Network, Split, TrainedClassifier

UNTRAINED = {
    "feature_length": "feature length",
    "own_class": "backbone's CAM",
    "class_token": "class token",
    "rollout": "rollout",
}
LEVELS = {"feature_length": "C", "own_class": "D", "class_token": "D", "rollout": "D"}
DRAWN = ("feature_length", "class_token")
"""In pictures, beside learned maps."""


def list_untrained_maps(network: Network) -> list[str]:
    """Those that this network's trunk has; [] for a trunk that is no pretrained backbone."""
    trunk = _find_backbone(network)
    if trunk is None or trunk.is_random:
        return []
    own_class = ["own_class"] if trunk.class_layer is not None else []
    return ["feature_length", *own_class, *(["class_token", "rollout"] if trunk.has_class_token else [])]


def say_what_was_trained(network: Network) -> list[str]:
    """A line where these maps are of a trunk that was trained with the labels: the pretraining alone does not make them."""
    names, trained = list_untrained_maps(network), len(getattr(_find_backbone(network), "trained_parts", ()))
    if not names or not trained:
        return []
    parts = "part of the backbone was" if trained == 1 else f"{trained} parts of the backbone were"
    return [
        f"the last {parts} trained with the labels: {', '.join(UNTRAINED[name] for name in names)} are of the trained one"
    ]


def compute_untrained_maps(
    classifier: TrainedClassifier, split: Split, batch_size: int
) -> dict[str, Float[np.ndarray, "images rows columns"]]:
    """By name, at the level's own resolution, not negative."""
    names, trunk = list_untrained_maps(classifier.network), _find_backbone(classifier.network)

    def measure_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        with torch.autocast(images.device.type, enabled=False):
            seen = classifier.preprocess(images).float()
            levels, found = trunk.compute_attention(seen) if trunk.has_class_token else (trunk.compute_levels(seen), {})
            found = {"feature_length": levels["C"].norm(dim=1), **found}
            if "own_class" in names:
                layer = trunk.class_layer
                assert layer is not None
                predicted = layer(levels["D"].mean((2, 3))).argmax(1)
                found["own_class"] = torch.einsum("bchw,bc->bhw", levels["D"], layer.weight[predicted]).clamp(min=0)
        return found

    return run_forward_passes(classifier, split, measure_batch, batch_size, "untrained maps") if names else {}


def place_untrained_maps(network: Network, size: tuple[int, int]) -> dict[str, Placement]:
    """Where their cells lie in pictures of `size` (height, width)."""
    trunk = _find_backbone(network)
    cells = {} if trunk is None else trunk.cells_in(size)
    return {name: place_in_picture(cells[LEVELS[name]], size) for name in list_untrained_maps(network)}


def _find_backbone(network: Network) -> Any:
    trunk = getattr(network, "trunk", None)
    return trunk if hasattr(trunk, "compute_levels") else None
