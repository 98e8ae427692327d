"""A trunk made of parts, from one level to the next: it returns features and knows nothing of attention."""

from abc import ABC

from jaxtyping import Float
from torch import Tensor, nn

from lta.models.cells import PIXELS, place_cells
from lta.protocols import Cells, Features


class StagedTrunk(nn.Module, ABC):
    """Subclasses fill `stages`, by level, shallow to deep, each a part that goes on from the one before, and `channels` with
    what each puts out. That makes it a `Trunk`; gates, which change what goes on, need the stages.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleDict()
        self.channels: dict[str, int] = {}

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Features:
        """Each level's `(batch, channels[level], height, width)`."""
        levels, x = {}, images
        for level, stage in self.stages.items():
            x = levels[level] = stage(x)
        return Features(levels)

    @property
    def cells(self) -> dict[str, Cells]:
        """Raises ValueError where a stage has a layer that does not say it."""
        found, cells = {}, PIXELS
        for level, stage in self.stages.items():
            cells = found[level] = place_cells(stage, cells)
        return found
