"""Augmentation of a whole batch at once, on the batch's device, from torch's global generator of that device."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta import checks

Images = Float[Tensor, "batch 3 height width"]


class FlipCropCutout(nn.Module):
    """Per image: mirror with probability `flip`, shift by up to `shift` pixels (what comes in at the border is
    mirrored), blank a `cutout` x `cutout` square at a uniform place (partly outside too; 0 after normalisation is the
    mean colour). 0 turns a part off.
    """

    def __init__(self, flip: float = 0.5, shift: int = 4, cutout: int = 0):
        super().__init__()
        if flip != 1:
            checks.number("augment.flip", flip, 0, 1)
        checks.whole("augment.shift", shift)
        checks.whole("augment.cutout", cutout)
        self.flip, self.shift, self.cutout = flip, shift, cutout

    def forward(self, images: Images) -> Images:
        batch, _, height, width = images.shape
        if max(self.shift, self.cutout) >= min(height, width):
            sides = f"augment.shift={self.shift} and augment.cutout={self.cutout}"
            raise ValueError(f"{sides} must be below the pictures' {min(height, width)} pixels")
        rows = torch.arange(height, device=images.device).expand(batch, height)
        columns = torch.arange(width, device=images.device).expand(batch, width)
        if self.shift:
            offsets = torch.randint(-self.shift, self.shift + 1, (2, batch, 1), device=images.device)
            rows, columns = _reflect(rows + offsets[0], height), _reflect(columns + offsets[1], width)
        if self.flip:
            mirrored = torch.rand(batch, 1, device=images.device) < self.flip
            columns = torch.where(mirrored, width - 1 - columns, columns)
        if self.shift or self.flip:
            index = torch.arange(batch, device=images.device).view(batch, 1, 1)
            # One gather in channels-last storage: each pixel's three channels lie together.
            images = images.permute(0, 2, 3, 1)[index, rows.unsqueeze(2), columns.unsqueeze(1)].permute(0, 3, 1, 2)
        if self.cutout:
            images = images * self._keep(batch, height, width, images.device)
        return images

    def _keep(self, batch: int, height: int, width: int, device: torch.device) -> Tensor:
        def inside(length: int) -> Tensor:
            first = torch.randint(1 - self.cutout, length, (batch, 1), device=device)
            position = torch.arange(length, device=device)
            return (position >= first) & (position < first + self.cutout)

        return ~(inside(height).unsqueeze(2) & inside(width).unsqueeze(1)).unsqueeze(1)


def _reflect(position: Tensor, length: int) -> Tensor:
    """Positions outside 0 ... length - 1 mirrored back, the border pixel not repeated."""
    position = position.abs()
    return torch.minimum(position, 2 * (length - 1) - position)
