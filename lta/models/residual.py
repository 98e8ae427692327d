"""A block whose input is added to what it puts out (He et al. 2016)."""

from jaxtyping import Float
from torch import Tensor, nn

from lta.models.cells import place_cells
from lta.protocols import Cells


class Residual(nn.Sequential):
    """`x + layers(x)`: the layers keep channels and size."""

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch channels height width"]:
        """`x`, plus what the layers make of it."""
        return x + super().forward(x)

    def place_cells(self, cells: Cells) -> Cells:
        """As `lta.models.cells.place_cells`; raises ValueError where the layers move the cells."""
        placed = place_cells(nn.Sequential(*self), cells)
        if placed != cells:
            raise ValueError(f"a residual block leaves its cells where they are, and this one moves {cells} to {placed}")
        return cells
