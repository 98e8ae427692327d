"""Several queries for the same images: the trunk runs once, and nothing else changes."""

import pytest
import torch
from networks import double


@pytest.mark.parametrize(
    ("model", "kept_levels"),
    [
        ("vgg_att3", "ABC"),
        ("vgg_att3_three_globals", "ABC"),
        ("vgg_progressive_hl", "AB"),
        ("vgg_pan", "AB"),
    ],
)
def test_kept_features_give_the_same_answers(model, kept_levels):
    network = double(model, "compat=dp")
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    runs = dict.fromkeys(network.trunk.stages, 0)
    for level, stage in network.trunk.stages.items():
        stage.register_forward_hook(lambda *_, level=level: runs.__setitem__(level, runs[level] + 1))
    own = network(images)
    kept = {}
    for replaced in ({}, *({source: g.flip(0)} for source, g in own.global_feats.items())):
        expected = network(images, replaced)
        for level in runs:
            runs[level] = 0
        found = network(images, replaced, kept)
        assert torch.equal(found.logits, expected.logits)
        assert all(torch.equal(found.attn[level], expected.attn[level]) for level in network.levels)
        assert "".join(kept) == kept_levels
        again = "" if not replaced else kept_levels
        assert all(runs[level] == 0 for level in again)
