"""From uint8 pictures to what a pretrained network was shown."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lta.models.backbone_registry import read_facts
from lta.transforms.pictures import ImageArray


class Pretrained(nn.Module):
    """(x / 255 - mean) / std per channel, both as the network `name` of timm was pretrained: nothing is measured.

    Takes uint8 images, or floats in the same range of 0 to 255, and gives float32. Raises ValueError where timm has no such
    network.
    """

    def __init__(self, name: str):
        super().__init__()
        facts = read_facts(name)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", 255 * torch.tensor(facts.mean))
        self.register_buffer("std", 255 * torch.tensor(facts.std))

    def fit(self, images: ImageArray) -> None:
        """Nothing: other pictures than those of the pretraining are not shown in another way."""

    def forward(
        self, images: UInt8[Tensor, "batch 3 height width"] | Float[Tensor, "batch 3 height width"]
    ) -> Float[Tensor, "batch 3 height width"]:
        return (images - self.mean.view(3, 1, 1)) / self.std.view(3, 1, 1)
