"""A first convolution that is measured instead of trained: it whitens patches (arXiv 2404.00498, section 3.1)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta.layers.precision import without_autocast
from lta.models.cells import place_windows
from lta.models.measured import Batches, Measured
from lta.protocols import Cells

MEASURED = 5000
"""Training pictures whose patches are measured, spread evenly: they may lie class by class. (The source takes the first
5,000, of official files in random order.)"""


class WhitenedConv(Measured):
    """Each filter and its negative, for the principal directions of the training pictures' patches, scaled to variance 1.

    `fit` measures them. The weights are a buffer, kept in checkpoints and never trained; the bias is a parameter. Before
    `fit` the filters are the patches' own pixels, so that the network can be built and looked at without data.
    """

    def __init__(self, inputs: int = 3, kernel: int = 2, eps: float = 5e-4):
        super().__init__()
        self.kernel, self.eps = kernel, eps
        pixels = torch.eye(inputs * kernel**2).view(-1, inputs, kernel, kernel)
        self.weight: Tensor
        self.register_buffer("weight", torch.cat([pixels, -pixels]))
        self.bias = nn.Parameter(torch.zeros(len(self.weight)))

    @torch.no_grad()
    def fit(self, batches: Batches) -> None:
        """`eps` is added to the variances."""
        products, count = torch.zeros((), dtype=torch.float64), 0
        for images in batches(MEASURED):
            patches = images.double().unfold(2, self.kernel, 1).unfold(3, self.kernel, 1)
            rows = patches.permute(0, 2, 3, 1, 4, 5).reshape(-1, self.weight[0].numel())
            products, count = products + rows.T @ rows, count + len(rows)
        variances, directions = torch.linalg.eigh(products / count)
        filters = (directions / (variances + self.eps).sqrt()).T.flip(0).view(-1, *self.weight.shape[1:])
        self.weight.copy_(torch.cat([filters, -filters]))

    def forward(self, images: Float[Tensor, "batch inputs height width"]) -> Float[Tensor, "batch channels _ _"]:
        """The convolution, in the precision of its weights also under autocast."""
        # Filters subtract almost equal pixels and multiply the rest by up to 28: bfloat16's 8 bits would leave an error of
        # an eighth in the weakest direction, and another filter than evaluation in float32 has.
        with without_autocast(images):
            return nn.functional.conv2d(images.to(self.weight.dtype), self.weight, self.bias)

    def place_cells(self, cells: Cells) -> Cells:
        """As `lta.models.cells.place_cells`."""
        return place_windows(cells, self.kernel)

    def copy_measured(self, of: nn.Module) -> None:
        """Takes the filters of another whitened convolution, instead of measuring pictures."""
        assert isinstance(of, WhitenedConv), "the two are of one configuration"
        self.weight.copy_(of.weight)
