"""A map that was taught by masks: on a pretrained backbone, without any class labels (`lta.teach`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta import checks
from lta.layers.compatibility import Parametrised
from lta.models.backbone_family import build_trunk
from lta.models.backbone_trunk import BackboneTrunk
from lta.models.cues import BASE, CUES, LENGTH, compute_cues, list_cues
from lta.models.output import NetworkOutput
from lta.protocols import Cells

CLASS_NAMES = ("background", "object")


class TaughtNet(nn.Module):
    """`score = u . (cues, features of level B) + b` at each cell of level B, the form of `pc`; its map is sigmoid(score),
    the probability that the cell belongs to the object.

    `logits` of (background, object) say whether any cell does: they differ by the highest score. `scorer` is fitted by
    `lta.teach.fit`, not by gradients. `ends` (low, high), as shares of a map's own range: where it begins to count as the
    object, and where it fully does.
    """

    map_kind = "map taught by masks"
    levels: tuple[str, ...] = (BASE,)
    classifiers: tuple[nn.Linear, ...] = ()

    def __init__(self, trunk: BackboneTrunk, cues: Sequence[str]):
        super().__init__()
        self.trunk = trunk
        self.cues = tuple(cues)
        self.scorer = Parametrised(len(self.cues) + trunk.channels[BASE])
        self.ends: Tensor
        self.register_buffer("ends", torch.tensor([0.0, 1.0]))

    @property
    def cells(self) -> Mapping[str, Cells]:
        """Where the cells of the taught map lie: those of the level that it reads."""
        return {BASE: self.trunk.cells[BASE]}

    def cells_in(self, size: tuple[int, int]) -> Mapping[str, Cells]:
        """Where the cells of the taught map lie in pictures of `size` (height, width)."""
        return {BASE: self.trunk.cells_in(size)[BASE]}

    @torch.no_grad()
    def show_length(self) -> None:
        """Before any mask: the map is the sigmoid of the features' length, which nobody taught. Raises ValueError where the
        network does not read it."""
        if LENGTH not in self.cues:
            raise ValueError(
                f"model.cues={list(self.cues)} must contain {LENGTH}: without it, the map shows nothing before it is taught"
            )
        self.scorer.scorer.weight.zero_()
        self.scorer.scorer.weight[self.cues.index(LENGTH)] = 1
        self.scorer.scorer.bias.zero_()
        self.ends.copy_(torch.tensor([0.0, 1.0]))

    def describe(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch channels rows columns"]:
        """What is scored: cues first, then level B standardised by channel."""
        with torch.autocast(images.device.type, enabled=False):
            raw = self.trunk.compute_levels(images.float())
            standard = self.trunk.standardise(raw)
            cells = self.trunk.cells_in((images.shape[2], images.shape[3]))
            cues = compute_cues(self.cues, raw, standard, cells, self.trunk.class_layer)
            return torch.cat([cues, standard[BASE]], 1)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> NetworkOutput:
        """`attn` is the sigmoid of the scores, 0 to 1 for each cell, and does not sum to 1. The logits of object and
        background are plus and minus half of the highest score."""
        described = self.describe(images)
        scores = self.scorer(described, None)
        attn = scores.sigmoid()
        highest = scores.flatten(1).amax(1)
        logits = torch.stack([-highest / 2, highest / 2], 1)
        weights = attn / attn.sum((1, 2), keepdim=True)
        descriptor = torch.einsum("bchw,bhw->bc", described[:, len(self.cues) :], weights)
        return NetworkOutput(logits, (logits,), {BASE: attn}, {BASE: scores}, {BASE: descriptor}, {})


def taught_map(num_classes: int, backbone: Mapping[str, Any] | None = None, cues: Sequence[str] | None = None) -> TaughtNet:
    """`cues`: of `lta.models.cues.CUES`; None for all that the backbone has. Raises ValueError for other than two classes,
    and for a backbone whose levels are not standardised or that is trained."""
    if num_classes != len(CLASS_NAMES):
        raise ValueError(
            f"a map taught by masks (lta.teach) has two classes, background and object, but {num_classes} are asked for"
        )
    trunk = build_trunk(backbone)
    if BASE not in trunk.norms:
        raise ValueError("model.backbone.standardise=false: a map can only be taught on standardised features")
    if trunk.trained_parts:
        raise ValueError("model.backbone.train must be none: a map is taught on a frozen backbone")
    chosen = list_cues(trunk.class_layer) if cues is None else tuple(cues)
    for name in chosen:
        checks.require_choice("model.cues", name, CUES)
    return TaughtNet(trunk, [name for name in CUES if name in chosen])
