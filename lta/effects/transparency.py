"""Effects on pictures with transparency, and results that have some."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lta.protocols import Effect


def apply_effect(
    effect: Effect,
    picture: UInt8[Tensor, "3 height width"],
    attention: Float[Tensor, "height width"],
    alpha: UInt8[Tensor, "height width"] | None,
) -> UInt8[Tensor, "channels rows columns"]:
    """With four channels where the picture or the effect is transparent."""
    pixels = effect(picture, attention, alpha)
    return torch.cat([pixels, alpha[None]]) if pixels.shape[0] == 3 and alpha is not None else pixels


def check(effects: Mapping[str, Effect]) -> None:
    """Raises ValueError, with the setting's key, where one can't be made as it is set: tried on a tiny picture."""
    for name, effect in effects.items():
        try:
            apply_effect(effect, torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(8, 8), None)
        except ValueError as error:
            raise ValueError(f"effect.{name}.{error}") from error


def choose_suffix(effect: Effect) -> str | None:
    """That the name of a result must have: PNG where an opaque picture becomes transparent, which not every format can keep.
    None where the picture's own will do."""
    return ".png" if effect(torch.zeros(3, 8, 8, dtype=torch.uint8), torch.zeros(8, 8), None).shape[0] == 4 else None
