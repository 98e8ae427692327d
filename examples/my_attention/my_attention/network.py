"""A network of one's own: two convolutions, and attention where they end."""

from torch import nn

from lta.models.output import NetworkOutput


class OneLevel(nn.Module):
    """Images (batch, 3, height, width) -> NetworkOutput with one map, at a quarter of the height and width."""

    levels = ("top",)

    def __init__(self, num_classes: int, compat, channels: int = 16):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, stride=2, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        )
        self.compat = compat(channels)
        self.head = nn.Linear(channels, num_classes)

    @property
    def classifiers(self):
        return (self.head,)

    def forward(self, images):
        features = self.trunk(images)
        query = features.mean((2, 3))
        scores = self.compat(features, query)
        attention = scores.flatten(1).softmax(1).view_as(scores)
        descriptor = (features.float() * attention.unsqueeze(1)).sum((2, 3))
        logits = self.head(descriptor)
        by_level = {"attn": attention, "scores": scores, "descriptors": descriptor, "global_feats": query}
        return NetworkOutput(logits, (logits,), **{name: {"top": value} for name, value in by_level.items()})
