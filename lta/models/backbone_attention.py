"""What a vision transformer attends to by itself: the attention of its class token, which its own class layer reads.

For ViTs of timm with a class token and plain attention. Nothing of it is trained here: a control for learned maps.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


def has_class_token(model: nn.Module) -> bool:
    """Whether there is a class token, and each block attends as `record_attention` computes it."""
    blocks = getattr(model, "blocks", None)
    if getattr(model, "cls_token", None) is None or not isinstance(blocks, nn.Sequential):
        return False
    needed = ("qkv", "q_norm", "k_norm", "scale", "num_heads")
    units: list[Any] = [getattr(block, "attn", None) for block in blocks]
    return all(type(unit).__name__ == "Attention" and all(hasattr(unit, part) for part in needed) for unit in units)


@contextmanager
def record_attention(model: nn.Module) -> Iterator[list[Float[Tensor, "batch tokens tokens"]]]:
    """Of each block that runs meanwhile, in their order, the mean over heads: row i is how token i attends, with sum 1."""
    of_timm: Any = model
    found: list[Tensor] = []

    def record(unit: Any, given: tuple[Any, ...]) -> None:
        found.append(_compute_attention(unit, given[0]))

    hooks = [block.attn.register_forward_pre_hook(record) for block in of_timm.blocks]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def roll_out(
    blocks: Sequence[Float[Tensor, "batch tokens tokens"]],
) -> Float[Tensor, "batch tokens tokens"]:
    """Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928): what reaches each token of the last block from those of
    the first, where half of a block's output is its input, by the connections around it."""
    rolled = torch.eye(blocks[0].shape[1], device=blocks[0].device, dtype=blocks[0].dtype)
    for attention in blocks:
        rolled = (attention @ rolled + rolled) / 2
    return rolled


def take_class_token(
    model: nn.Module, attention: Float[Tensor, "batch tokens tokens"], size: tuple[int, int]
) -> Float[Tensor, "batch rows columns"]:
    """How the class token, the first of all, attends to the patches, of which there are `size`; other tokens (registers)
    stand between."""
    return attention[:, 0, getattr(model, "num_prefix_tokens", 1) :].unflatten(1, size)


def _compute_attention(unit: Any, x: Float[Tensor, "batch tokens channels"]) -> Float[Tensor, "batch tokens tokens"]:
    batch, tokens, _ = x.shape
    query, key, _ = unit.qkv(x).reshape(batch, tokens, 3, unit.num_heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    query, key = unit.q_norm(query), unit.k_norm(key)
    return (query.float() * unit.scale @ key.float().transpose(-2, -1)).softmax(-1).mean(1)
