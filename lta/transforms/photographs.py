"""Augmentation of photographs by torchvision: crops, colours, RandAugment, and pictures mixed with each other."""

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lta import checks

MAGNITUDES = 31
"""Of RandAugment, from 0."""


class PhotographAugment(nn.Module):
    """Each picture gets draws of its own, on its pixels: a random resized crop that keeps at least the share `crop` of the
    picture (1: none), mirrored with probability `flip`, ColorJitter by `brightness`, `contrast`, `saturation` and `hue`, and
    `operations` of RandAugment at `magnitude`. Then `mix` mixes the whole batch, by MixUp and CutMix with these alphas (0:
    none; of both, one is drawn for each batch).

    Draws come from torch's global generator of the CPU, so that nothing waits for a GPU.
    """

    acts_on_pixels = True
    """It takes uint8 pictures, before preprocessing."""

    def __init__(
        self,
        crop: float = 0.35,
        flip: float = 0.5,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        operations: int = 0,
        magnitude: int = 9,
        mixup: float = 0.0,
        cutmix: float = 0.0,
    ):
        super().__init__()
        if crop != 1:
            checks.require_number("augment.crop", crop, 0, 1, without_low=True)
        if flip != 1:
            checks.require_number("augment.flip", flip, 0, 1)
        jitter = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        for name, value in jitter.items():
            checks.require_number(f"augment.{name}", value, 0, 10)
        checks.require_number("augment.hue", hue, 0, 0.5)
        checks.require_whole_number("augment.operations", operations)
        checks.require_whole_number("augment.magnitude", magnitude)
        if magnitude >= MAGNITUDES:
            raise ValueError(f"augment.magnitude={magnitude} must be below {MAGNITUDES}")
        for name, alpha in (("mixup", mixup), ("cutmix", cutmix)):
            checks.require_number(f"augment.{name}", alpha, 0, 100)
        from torchvision.transforms import v2  # it takes a second to import

        self.crop, self.flip, self.operations = crop, flip, operations
        after = [v2.RandomHorizontalFlip(flip)] if flip else []
        after += [v2.ColorJitter(**jitter, hue=hue)] if any((*jitter.values(), hue)) else []
        after += [v2.RandAugment(operations, magnitude, MAGNITUDES)] if operations else []
        self._after = after
        mixers = [(v2.MixUp, mixup), (v2.CutMix, cutmix)]
        self._mixers = [kind(alpha=alpha) for kind, alpha in mixers if alpha]

    def forward(self, images: UInt8[Tensor, "batch 3 height width"]) -> UInt8[Tensor, "batch 3 height width"]:
        """Changes each picture of a batch by random numbers of its own. Mixup and cutmix, which need labels, come later."""
        return self._change(images, None)[0]

    def carry(
        self, images: UInt8[Tensor, "batch 3 height width"], masks: Float[Tensor, "batch height width"]
    ) -> tuple[UInt8[Tensor, "batch 3 height width"], Float[Tensor, "batch height width"]]:
        """`forward`, and each picture's mask cut and mirrored as the picture was."""
        images, carried = self._change(images, masks)
        assert carried is not None
        return images, carried

    @property
    def carries_masks(self) -> bool:
        """Not what mixes pictures, nor RandAugment, which also turns and shears."""
        return not self._mixers and not self.operations

    def _change(self, images: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor | None]:
        from torchvision import tv_tensors
        from torchvision.transforms import v2

        size = (images.shape[2], images.shape[3])
        crop: list[Any] = [v2.RandomResizedCrop(size, scale=(self.crop, 1.0), antialias=True)] if self.crop < 1 else []
        steps = [*crop, *self._after]
        if not steps:
            return images, masks
        change = v2.Compose(steps)
        if masks is None:
            return torch.stack([change(image) for image in images]), None  # of a whole batch they would draw once for all
        pairs = [change(image, tv_tensors.Mask(mask)) for image, mask in zip(images, masks, strict=True)]
        changed, carried = zip(*pairs, strict=True)
        return torch.stack(changed), torch.stack([mask.as_subclass(Tensor) for mask in carried])

    @property
    def mixes(self) -> bool:
        """Whether pictures are blended with others (mixup) or get a box of another one (cutmix)."""
        return bool(self._mixers)

    def mix(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Float[Tensor, "batch 3 height width"], float]:
        """Each picture mixed with the one before it (the first with the last), and the share of its own label, 0 to 1."""
        mixer = self._mixers[int(torch.randint(len(self._mixers), ()))]
        shares = torch.eye(len(images), dtype=torch.float64)  # in the place of labels: who is in each picture
        mixed, shares = mixer(images, shares)
        return mixed, float(shares[0, 0])
