"""Out of focus as a lens leaves it: every point a disc, in linear light, the larger the further from focus."""

import math
from collections.abc import Iterator
from functools import cache

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

LARGEST = 0.25
"""Of `radius`: a disc as wide as half of the picture's shorter side."""

DETAIL = 4
"""Pixels: a disc of a larger radius is drawn on a coarser grid, on which its radius lies between half of this and this."""

ROWS = 128
"""That are worked on at a time: what is made on the way stays in the processor's cache, and small."""

STRIPS = 16
NOTHING = 1e-4


def defocus(
    picture: UInt8[Tensor, "3 height width"],
    amount: Float[Tensor, "height width"],
    radius: float,
    alpha: UInt8[Tensor, "height width"] | None = None,
) -> UInt8[Tensor, "3 height width"]:
    """Each pixel as a lens shows what is out of its focus by `amount`: at 0 it stays as it is to the bit, at 1 it is spread
    over a disc of `radius`.

    `radius` is a share of the picture's shorter side, above 0 and at most 0.25. What is in focus gives no light to what is
    not, and nothing comes from beyond the edges or from transparent pixels (`alpha` 0): no halo around a sharp object.
    Discs of `radius`, a half of it, a quarter ... are drawn, and between them colours are mixed. Raises ValueError where
    `radius` lies outside.
    """
    check_radius(radius)
    lens = _Lens(picture, amount.clamp(0, 1), radius * min(picture.shape[1:]), alpha)
    out = torch.empty_like(picture)
    for top, bottom in lens.bands():
        band = slice(top, bottom)
        torch.where(amount[band] <= 0, picture[:, band], _encode_srgb(lens.compute_light(top, bottom)), out=out[:, band])
    return out


def check_radius(radius: float) -> None:
    """Raises ValueError where it is no share of a picture's shorter side, above 0 and at most LARGEST."""
    if not isinstance(radius, (int, float)) or isinstance(radius, bool) or not 0 < radius <= LARGEST:
        raise ValueError(f"radius={radius} must be a share of the picture's shorter side, above 0 and at most {LARGEST}")


class _Lens:
    """Small discs are drawn on the pixels, a band of rows at a time; larger ones each on a grid half as fine as the last."""

    def __init__(self, picture: Tensor, amount: Tensor, largest: float, alpha: Tensor | None):
        self.picture, self.amount, self.largest, self.alpha = picture, amount, largest, alpha
        count = max(1, math.ceil(math.log2(largest))) if largest > 1 else 1
        # In pixels, each twice the one before, the first between one pixel and two, the last `largest`.
        radii = [largest / 2**place for place in reversed(range(count))]
        self.small = [0.0, *(radius for radius in radii if radius <= DETAIL)]
        self.large = [radius for radius in radii if radius > DETAIL]
        self.grid = self._compute_coarse_light() if self.large else None

    def bands(self) -> Iterator[tuple[int, int]]:
        height = self.amount.shape[0]
        return ((top, min(top + ROWS, height)) for top in range(0, height, ROWS))

    def compute_light(self, top: int, bottom: int) -> Float[Tensor, "3 rows width"]:
        light = _decode_srgb(self.picture[:, top:bottom])
        radius = self.amount[top:bottom] * self.largest
        ends = [*self.small, *self.large[:1]]
        result = light * _share(radius, ends, 0)
        for place in range(1, len(ends)):
            share = _share(radius, ends, place)
            if share.any():
                drawn = (
                    self._sample_grid(top, bottom)
                    if ends[place] > DETAIL
                    else self._draw_discs(ends[place], light, top, bottom)
                )
                result.addcmul_(drawn, share.expand_as(drawn))
        return result

    def _weigh_light(self, radius: float, top: int, bottom: int, light: Tensor) -> Float[Tensor, "4 rows width"]:
        """What each pixel gives to discs of `radius`, and its light times that: the sharper than these it is, the less."""
        weight = (self.amount[top:bottom] * (self.largest / radius)).clamp_(max=1)
        if self.alpha is not None:
            weight *= self.alpha[top:bottom].float() / 255
        return torch.cat([weight[None], light * weight])

    def _draw_discs(self, radius: float, light: Tensor, top: int, bottom: int) -> Float[Tensor, "3 rows width"]:
        reach = disc(radius).shape[0] // 2
        upper, lower = max(top - reach, 0), min(bottom + reach, self.amount.shape[0])
        weighed = self._weigh_light(radius, upper, lower, _decode_srgb(self.picture[:, upper:lower]))
        return _spread_light(F.pad(weighed, (reach, reach, reach - (top - upper), reach - (lower - bottom))), radius, light)

    def _compute_coarse_light(self) -> Float[Tensor, "3 rows columns"]:
        """What is drawn with large discs, on a grid of 2x2 pixels a cell."""
        height, width = self.amount.shape
        weighed = torch.empty(5, -(-height // 2), -(-width // 2))
        for top, bottom in self.bands():
            band = self._weigh_light(self.large[0], top, bottom, _decode_srgb(self.picture[:, top:bottom]))
            weighed[:, top // 2 : -(-bottom // 2)] = _halve_size(torch.cat([band, self.amount[None, top:bottom] * band[:1]]))
        return self._draw_on_grid(weighed, 0)

    def _draw_on_grid(self, weighed: Float[Tensor, "5 rows columns"], place: int) -> Float[Tensor, "3 rows columns"]:
        """By discs of `large[place]` and larger. `weighed`: what each cell gives to them, its light times that, and its
        amount times that."""
        radius = self.large[place]
        on_grid = radius / 2 ** (place + 1)
        reach = disc(on_grid).shape[0] // 2
        given, light, amount = weighed[:1], weighed[1:4], weighed[4] / weighed[0].clamp(min=NOTHING)
        result = _spread_light(F.pad(weighed[:4], (reach,) * 4), on_grid, light / given.clamp(min=NOTHING))
        if place + 1 < len(self.large):
            further = self.large[place + 1]
            less = (amount * (self.largest / further)).clamp(0.5, 1)  # what is less out of focus than this gave less already
            larger = _double_size(self._draw_on_grid(_halve_size(weighed * less), place + 1), result.shape[1:])
            result.lerp_(larger, 1 - _share(amount * self.largest, [0.0, radius, further], 1, lowest=True))
        return result

    def _sample_grid(self, top: int, bottom: int) -> Float[Tensor, "3 rows width"]:
        assert self.grid is not None, "there are large discs"
        rows = torch.arange(top // 2 - 1, -(-bottom // 2) + 1).clamp(0, self.grid.shape[1] - 1)  # to interpolate, one more
        return _double_size(self.grid[:, rows], (2 * len(rows), self.amount.shape[1]))[:, 2 : 2 + bottom - top]


def _share(radius: Tensor, ends: list[float], place: int, lowest: bool = False) -> Float[Tensor, "rows columns"]:
    """How much of the picture with discs of `ends[place]` each pixel takes: those of all places sum to 1, the last (and
    with `lowest` the asked one) standing for all beyond it."""
    here = ends[place]
    rises = torch.ones_like(radius) if place == 0 or lowest else (radius - ends[place - 1]) / (here - ends[place - 1])
    if place + 1 == len(ends):
        return rises.clamp_(0, 1)
    falls = (ends[place + 1] - radius) / (ends[place + 1] - here)
    return torch.minimum(rises, falls).clamp_(0, 1)


def _spread_light(weighed: Float[Tensor, "4 _ _"], radius: float, otherwise: Tensor) -> Float[Tensor, "3 rows columns"]:
    """Light over discs; `otherwise` where nothing near gives any (among transparent pixels). `weighed` is padded."""
    kernel = disc(radius)
    total, *light = (_convolve(values, kernel) for values in weighed)
    return torch.where(total > NOTHING, torch.stack(light) / total.clamp(min=NOTHING), otherwise)


def _halve_size(values: Float[Tensor, "layers _ _"]) -> Float[Tensor, "layers _ _"]:
    """Means of 2x2; beyond an odd edge there is zero."""
    return F.avg_pool2d(F.pad(values, (0, values.shape[2] % 2, 0, values.shape[1] % 2)), 2)


def _double_size(values: Float[Tensor, "3 _ _"], size: tuple[int, ...]) -> Float[Tensor, "3 rows columns"]:
    """Twice as large, cut to `size`."""
    return F.interpolate(values[None], scale_factor=2, mode="bilinear", align_corners=False)[0, :, : size[0], : size[1]]


def disc(radius: float) -> Float[Tensor, "side side"]:
    """Weights that sum to 1, the rim soft over a pixel; `radius` in pixels."""
    reach = math.ceil(radius)
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = (radius + 0.5 - torch.hypot(offsets[:, None], offsets)).clamp_(0, 1)
    return weights / weights.sum()


def _convolve(values: Tensor, kernel: Tensor) -> Tensor:
    """As conv2d of one picture of one channel, without padding. Strips of it become channels: five times faster on a CPU."""
    edge = kernel.shape[0] - 1
    rows, width = values.shape[0] - edge, values.shape[1] - edge
    columns = -(-width // STRIPS)
    strips = F.pad(values, (0, STRIPS * columns - width)).unfold(1, columns + edge, columns)
    strips = strips.permute(0, 2, 1).contiguous().permute(2, 0, 1)
    mixed = F.conv2d(strips[None], kernel.expand(STRIPS, 1, -1, -1), groups=STRIPS)[0]
    return mixed.permute(1, 0, 2).reshape(rows, STRIPS * columns)[:, :width]


@cache
def _light() -> Tensor:
    """Of each sRGB value, as IEC 61966-2-1 has it."""
    values = torch.arange(256, dtype=torch.float64) / 255
    return torch.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4).float()


@cache
def _values() -> Tensor:
    """The nearest sRGB value of each of 2**16 amounts of light."""
    borders = (_light()[1:] + _light()[:-1]) / 2
    return torch.bucketize(torch.arange(2**16) / (2**16 - 1), borders).to(torch.uint8)


def _decode_srgb(values: UInt8[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return _light().index_select(0, values.flatten().int()).view(values.shape)


def _encode_srgb(light: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    return _values().index_select(0, (light * (2**16 - 1) + 0.5).int().clamp_(0, 2**16 - 1).flatten()).view(light.shape)
