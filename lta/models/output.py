"""What every network returns."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class NetworkOutput(NamedTuple):
    """`attn`, `scores` and `descriptors` are keyed by level, shallow to deep; empty where a network has none.

    Maps are float32 `(batch, height, width)` at the level's own resolution: softmax maps sum to 1.
    """

    logits: Float[Tensor, "batch classes"]
    attn: dict[str, Tensor]
    scores: dict[str, Tensor]
    descriptors: dict[str, Tensor]
    global_feat: Float[Tensor, "batch channels"] | None
