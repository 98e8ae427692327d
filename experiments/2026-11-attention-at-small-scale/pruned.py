"""What trained networks of `pc` say with and without their inert branch, on test pictures. pruned.py CIFAR_ROOT RUN ..."""

import sys

import torch
from omegaconf import OmegaConf

import lta
from lta.data.cifar import CIFAR
from lta.instantiate import build

root, runs = sys.argv[1], sys.argv[2:]
data = CIFAR(root=root, download=False)
data.prepare_data()
images = torch.tensor(data.test.images).permute(0, 3, 1, 2)


@torch.inference_mode()
def answers(classifier):
    """Logits `(images, classes)`, and maps by level, `(images, height, width)`."""
    outputs = [classifier(batch) for batch in images.split(500)]
    maps = {level: torch.cat([output.attn[level] for output in outputs]) for level in outputs[0].attn}
    return torch.cat([output.logits for output in outputs]), maps


for run in runs:
    classifier = lta.load(run)
    logits, maps = answers(classifier)
    whole = classifier.network
    config = OmegaConf.merge(classifier.hparams["config"]["model"], {"prune_inert_query": True})
    classifier.network = build(config)(num_classes=len(classifier.class_names)).eval()
    missing, left_out = classifier.network.load_state_dict(whole.state_dict(), strict=False)
    assert not missing, missing
    pruned, pruned_maps = answers(classifier)
    sizes = [sum(p.numel() for p in network.parameters()) for network in (whole, classifier.network)]
    moved = max((maps[level] - pruned_maps[level]).abs().max().item() for level in maps)
    print(
        f"{run}: {sizes[0]:,} parameters, pruned {sizes[1]:,}; of {len(images):,} predictions "
        f"{(logits.argmax(1) != pruned.argmax(1)).sum()} differ; logits off by at most "
        f"{(logits - pruned).abs().max():.2g} (largest {logits.abs().max():.1f}), attention by {moved:.2g}"
    )
