"""A ViT's own attention, against what its blocks compute."""

import pytest
import torch
from backbones import SIDES, random_trunk

from lta.models.backbone_attention import has_class_token, record_attention, roll_out, take_class_token

pytest.importorskip("timm")

WITH = ("vit_tiny_patch16_224", "vit_small_patch14_reg4_dinov2")


@pytest.mark.parametrize("name", sorted(SIDES))
def test_which_networks_have_one(name):
    assert has_class_token(random_trunk(name).model) == (name in WITH)


@pytest.mark.parametrize("name", WITH)
@torch.no_grad()
def test_it_is_what_the_blocks_multiply_values_with(name):
    trunk = random_trunk(name)
    images = torch.randn(2, 3, SIDES[name], SIDES[name], generator=torch.Generator().manual_seed(0))
    used, hooks = [], []
    for block in trunk.model.blocks:
        block.attn.fused_attn = False
        hooks.append(block.attn.attn_drop.register_forward_pre_hook(lambda _, given: used.append(given[0].mean(1))))
    try:
        with record_attention(trunk.model) as found:
            levels = trunk.compute_levels(images)
        trunk.compute_levels(images)
    finally:
        for block, hook in zip(trunk.model.blocks, hooks, strict=True):
            hook.remove()
            block.attn.fused_attn = True
    assert len(found) == len(trunk.model.blocks) == len(used) / 2, "nothing is recorded afterwards"
    for ours, theirs in zip(found, used, strict=False):
        torch.testing.assert_close(ours, theirs)
    rows, columns = levels["D"].shape[2:]
    prefix = found[0].shape[1] - rows * columns
    assert prefix == {"vit_tiny_patch16_224": 1, "vit_small_patch14_reg4_dinov2": 5}[name]
    shown = take_class_token(trunk.model, found[-1], (rows, columns))
    torch.testing.assert_close(shown.flatten(1), found[-1][:, 0, prefix:])
    rest = found[-1][:, 0, :prefix].sum(1)
    torch.testing.assert_close(shown.sum((1, 2)), 1 - rest)


def test_rollout_by_hand():
    """Two blocks of two tokens. The first: token 0 reads token 1 alone, token 1 both. The second: each reads token 1."""
    first, second = torch.tensor([[[0.0, 1.0], [0.5, 0.5]]]), torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    after_first = torch.tensor([[[0.5, 0.5], [0.25, 0.75]]])
    torch.testing.assert_close(roll_out([first]), after_first)
    torch.testing.assert_close(roll_out([first, second]), torch.tensor([[[0.375, 0.625], [0.25, 0.75]]]))
