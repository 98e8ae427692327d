"""What every network returns."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class NetworkOutput(NamedTuple):
    """`attn` and `scores` are keyed by level, shallow to deep, `descriptors` by the levels that the head reads,
    `global_feats` by the level that each query was made from; each is empty where a network has none.

    Maps are float32 `(batch, height, width)` at the level's own resolution: softmax maps sum to 1. The training loss is
    the sum of the cross-entropies of `loss_logits`, which are `(logits,)` for all but one head.
    """

    logits: Float[Tensor, "batch classes"]
    loss_logits: tuple[Float[Tensor, "batch classes"], ...]
    attn: dict[str, Tensor]
    scores: dict[str, Tensor]
    descriptors: dict[str, Tensor]
    global_feats: dict[str, Tensor]
