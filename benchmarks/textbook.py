"""vgg_att3 with pc as one would write it from the paper: what the benchmarks compare lta's network with.

Torch's own layers, `u.(l + g)` by a 1x1 convolution, the descriptor by einsum, and the global branch computed although the
softmax cancels what it adds. Layers, widths, dropout rates and the order of the parameters are those of lta's.
"""

import torch
from torch import Tensor, nn

from lta.models.vgg_trunk import BRANCHES, DROPOUT, LEVEL_ENDS, WIDTHS


class TextbookAttention(nn.Module):
    def __init__(self, local_channels: int, global_channels: int, dropout: float):
        super().__init__()
        self.u = nn.Conv2d(local_channels, 1, kernel_size=1)
        self.project = nn.Identity()
        if local_channels != global_channels:
            self.project = _vector(global_channels, dropout).append(nn.Linear(global_channels, local_channels))

    def forward(self, local_feat: Tensor, global_feat: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.u(local_feat + self.project(global_feat)[:, :, None, None])
        attn = scores.flatten(1).softmax(1).view_as(scores)
        return torch.einsum("bchw,bhw->bc", local_feat, attn.squeeze(1)), attn


class TextbookVGGAtt3(nn.Module):
    """Returns the logits. `dropout` scales the authors' rates."""

    def __init__(self, num_classes: int = 10, width: float = 1.0, dropout: float = 1.0):
        super().__init__()
        self.stages = nn.ModuleList()
        inputs, layers, channels = 3, [], []
        for number, (base, rate) in enumerate(zip(WIDTHS, DROPOUT, strict=True), start=1):
            outputs = round(base * width)
            layers += _conv(inputs, outputs, rate * dropout)
            if number in LEVEL_ENDS:
                self.stages.append(nn.Sequential(*layers))
                layers = []
                channels.append(outputs)
                if number < len(WIDTHS):
                    layers.append(nn.MaxPool2d(2, ceil_mode=True))
            inputs = outputs
        self.branch = _branch(channels[-1], dropout)
        self.attention = nn.ModuleList(TextbookAttention(c, channels[-1], dropout) for c in channels)
        self.heads = nn.ModuleList(_vector(c, dropout) for c in channels)
        self.classifier = nn.Linear(sum(channels), num_classes)

    def forward(self, images: Tensor) -> Tensor:
        feats, x = [], images
        for stage in self.stages:
            x = stage(x)
            feats.append(x)
        query = self.branch(x)
        descriptors = [unit(feat, query)[0] for unit, feat in zip(self.attention, feats, strict=True)]
        return self.classifier(torch.cat([head(d) for head, d in zip(self.heads, descriptors, strict=True)], dim=1))


def _conv(inputs: int, outputs: int, rate: float) -> list[nn.Module]:
    block = [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs, eps=1e-3), nn.ReLU(inplace=True)]
    return [*block, nn.Dropout(rate)] if rate else block


def _vector(channels: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(channels), nn.ReLU(), nn.Dropout(0.5 * dropout))


def _branch(channels: int, dropout: float) -> nn.Sequential:
    first_pool, convolutions = BRANCHES["C"]
    layers: list[nn.Module] = []
    for number in range(convolutions):
        layers += [nn.MaxPool2d(2 if number else first_pool, ceil_mode=True), *_conv(channels, channels, 0.4 * dropout)]
    return nn.Sequential(
        *layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Dropout(0.5 * dropout), nn.Linear(channels, channels)
    )
