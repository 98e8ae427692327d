"""Networks without attention: the paper's baseline and the fair controls."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta.layers.precision import without_autocast
from lta.layers.scaled_linear import ScaledLinear
from lta.models.cells import find_trunk_cells
from lta.models.output import NetworkOutput
from lta.protocols import Cells, Trunk


class PlainNet(nn.Module):
    """A trunk whose deepest features go through `classifier`: no attention, no maps."""

    levels: tuple[str, ...] = ()

    def __init__(self, trunk: Trunk, classifier: nn.Sequential):
        super().__init__()
        self.trunk = trunk
        self.classifier = classifier

    @property
    def classifiers(self) -> tuple[nn.Linear, ...]:
        """The linear layers that put out the classes; what they read is the picture's feature vector."""
        last = self.classifier[-1]
        assert isinstance(last, nn.Linear)
        return (last,)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> NetworkOutput:
        """Images as the preprocessing gives them. There are no maps, scores or descriptors."""
        logits = self.classifier(self.trunk.features(images).levels["C"])
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})


class GAPNet(nn.Module):
    """Global average pooling of the deepest level, then a linear classifier (VGG-GAP, author_spec section 3).

    Its `attn` is the class activation map (Zhou et al. 2016) of the predicted class, negative parts cut off and scaled
    to sum 1 (uniform where it is nowhere positive), so that it can stand beside attention maps; `scores` is the raw
    map, whose mean over positions plus `scale` times the class's bias is the logit. No gradient flows through either.
    """

    map_kind = "class activation map"

    def __init__(self, trunk: Trunk, channels: int, num_classes: int, scale: float = 1.0, level: str = "C"):
        super().__init__()
        self.trunk, self.level = trunk, level
        self.levels: tuple[str, ...] = (level,)
        self.scale = scale
        self.classifier = nn.Linear(channels, num_classes) if scale == 1 else ScaledLinear(channels, num_classes, scale)

    @property
    def cells(self) -> dict[str, Cells]:
        """Of the map, as of AttentionNet."""
        return {self.level: self.trunk.cells[self.level]}

    def cells_in(self, size: tuple[int, int]) -> dict[str, Cells]:
        """Where the cells of the class activation map lie in pictures of `size` (height, width)."""
        return {self.level: find_trunk_cells(self.trunk, size)[self.level]}

    @property
    def classifiers(self) -> tuple[nn.Linear, ...]:
        """As of PlainNet: it reads the pooled features."""
        return (self.classifier,)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> NetworkOutput:
        """`scores` is the class activation map of the predicted class, `attn` its positive part with a sum of 1 (uniform
        where there is none), without gradients."""
        feats = self.trunk.features(images).levels[self.level]
        pooled = feats.mean((2, 3))
        logits = self.classifier(pooled)
        with torch.no_grad(), without_autocast(images):
            rows = self.scale * self.classifier.weight[logits.argmax(1)]
            cam = torch.einsum("bchw,bc->bhw", feats.to(rows.dtype), rows)
            positive = cam.clamp(min=0)
            total = positive.sum((1, 2), keepdim=True)
            attn = torch.where(total > 0, positive / total.clamp(min=torch.finfo(total.dtype).tiny), 1 / cam[0].numel())
        return NetworkOutput(logits, (logits,), {self.level: attn}, {self.level: cam}, {self.level: pooled}, {})
