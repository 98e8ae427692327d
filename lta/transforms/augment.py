"""Augmentation of a whole batch at once, on the batch's device, from torch's global generator of that device.

What moves pixels can carry masks: `carry(images, masks)` moves those of each picture as the picture itself.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lta import checks

Images = Float[Tensor, "batch 3 height width"]
Masks = Float[Tensor, "batch height width"]


class FlipCropCutout(nn.Module):
    """Per image: mirror with probability `flip` (with `alternate`, which needs 0.5: in every other epoch, see `set_epoch`),
    shift by up to `shift` pixels (what comes in at the border is mirrored), blank a `cutout` x `cutout` square at a uniform
    place (partly outside too; 0 after normalisation is the mean colour). 0 turns a part off.
    """

    def __init__(self, flip: float = 0.5, shift: int = 4, cutout: int = 0, alternate: bool = False):
        super().__init__()
        if flip != 1:
            checks.require_number("augment.flip", flip, 0, 1)
        checks.require_whole_number("augment.shift", shift)
        checks.require_whole_number("augment.cutout", cutout)
        checks.require_flag("augment.alternate", alternate)
        if alternate and flip != 0.5:
            raise ValueError(f"augment.alternate=true mirrors in half of the epochs: augment.flip={flip:g} must be 0.5")
        self.flip, self.shift, self.cutout, self.alternate = flip, shift, cutout, alternate
        self.epoch, self.seed = 0, 0
        self._numbers: Tensor | None = None

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Which pictures `alternate` begins with depends on their number and the seed; each epoch it mirrors the others
        (arXiv 2404.00498, section 3.6)."""
        self.epoch, self.seed = epoch, seed

    def set_pictures(self, numbers: Int[Tensor, " batch"]) -> None:
        """Which training pictures come next, by their place in the data set: `alternate` knows them again by it."""
        self._numbers = numbers

    def forward(self, images: Images) -> Images:
        """Changes each picture of a batch by random numbers of its own."""
        return self._change(images, None)[0]

    def carry(self, images: Images, masks: Masks) -> tuple[Images, Masks]:
        """`forward`, and each picture's mask mirrored and shifted as the picture was."""
        images, masks_there = self._change(images, masks)
        assert masks_there is not None
        return images, masks_there

    @property
    def carries_masks(self) -> bool:
        """Not with `cutout`: a mask would mark what is blanked."""
        return not self.cutout

    def _change(self, images: Images, masks: Masks | None) -> tuple[Images, Masks | None]:
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
            mirrored = self.choose_mirrored(batch, images.device)[:, None]
            columns = torch.where(mirrored, width - 1 - columns, columns)
        if self.shift or self.flip:
            # One gather of whole pixels, whose three channels lie together in channels-last storage. By one flat index: on
            # the CPU that takes a third of the time of three indices.
            first = torch.arange(0, batch * height, height, device=images.device).view(batch, 1)
            pixels = ((first + rows).unsqueeze(2) * width + columns.unsqueeze(1)).flatten()
            by_pixel = images.permute(0, 2, 3, 1).reshape(-1, 3)
            images = by_pixel.index_select(0, pixels).view(batch, height, width, 3).permute(0, 3, 1, 2)
            masks = None if masks is None else masks.reshape(-1).index_select(0, pixels).view(batch, height, width)
        if self.cutout:
            images = images * self._make_cutout_mask(batch, height, width, images.device)
        return images, masks

    @property
    def only_mirrors(self) -> bool:
        """Whether it does nothing else to pictures."""
        return not self.shift and not self.cutout

    def choose_mirrored(self, count: int, device: torch.device) -> Bool[Tensor, " batch"]:
        """Which of the next `count` pictures."""
        if not self.alternate:
            return torch.rand(count, 1, device=device)[:, 0] < self.flip
        numbers, self._numbers = self._numbers, None
        assert numbers is not None, "alternate needs set_pictures before each batch"
        mixed = (numbers.to(device) + 1) * 2654435761 + 40503 * self.seed
        mixed = (mixed ^ (mixed >> 15)) * 2246822519
        mixed = (mixed ^ (mixed >> 13)) * 2246822519
        return (mixed >> 16) % 2 == self.epoch % 2

    def _make_cutout_mask(self, batch: int, height: int, width: int, device: torch.device) -> Tensor:
        def select_span(length: int) -> Tensor:
            first = torch.randint(1 - self.cutout, length, (batch, 1), device=device)
            position = torch.arange(length, device=device)
            return (position >= first) & (position < first + self.cutout)

        return ~(select_span(height).unsqueeze(2) & select_span(width).unsqueeze(1)).unsqueeze(1)


class HalfFlip(nn.Module):
    """The authors' augmentation (author_spec section 6): mirrors exactly half of each batch, rounded down, drawn anew.

    `batch_shift`: the whole batch is shifted by one offset of up to so many pixels each way, what comes in at the border
    being mirrored (their crop from reflection padding, ResNets only). Over several processes: half of each one's share.
    """

    def __init__(self, batch_shift: int = 0):
        super().__init__()
        checks.require_whole_number("augment.batch_shift", batch_shift)
        self.batch_shift = batch_shift

    carries_masks = True

    def forward(self, images: Images) -> Images:
        """Mirrors half of the batch, and shifts all of it by one offset."""
        return self._change(images)[0]

    def carry(self, images: Images, masks: Masks) -> tuple[Images, Masks]:
        """As of FlipCropCutout."""
        images, channel = self._change(images, masks.unsqueeze(1))
        return images, channel.squeeze(1)

    def _change(self, *parts: Tensor) -> list[Tensor]:
        """The same to each of them, (batch, channels, height, width)."""
        images = parts[0]
        batch, _, height, width = images.shape
        if self.batch_shift >= min(height, width):
            raise ValueError(
                f"augment.batch_shift={self.batch_shift} must be below the pictures' {min(height, width)} pixels"
            )
        mirrored = self.choose_mirrored(batch, images.device).view(batch, 1, 1, 1)
        changed = [torch.where(mirrored, part.flip(3), part) for part in parts]
        if self.batch_shift:
            down, right = torch.randint(-self.batch_shift, self.batch_shift + 1, (2, 1), device=images.device)
            rows = _reflect(torch.arange(height, device=images.device) + down, height)
            columns = _reflect(torch.arange(width, device=images.device) + right, width)
            changed = [part.index_select(2, rows).index_select(3, columns) for part in changed]
        return changed

    @property
    def only_mirrors(self) -> bool:
        """As of FlipCropCutout, and so the next."""
        return not self.batch_shift

    def choose_mirrored(self, count: int, device: torch.device) -> Bool[Tensor, " batch"]:
        """True for half of `count` pictures, rounded down, chosen at random."""
        return torch.randperm(count, device=device) < count // 2


def _reflect(position: Tensor, length: int) -> Tensor:
    """Positions outside 0 ... length - 1 mirrored back, the border pixel not repeated."""
    position = position.abs()
    return torch.minimum(position, 2 * (length - 1) - position)
