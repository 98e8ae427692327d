"""What is there where no network was ever taught: the length of a pretrained backbone's features."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lta.models.output import NetworkOutput
from lta.models.taught_net import CLASS_NAMES, taught_map
from lta.transforms.pretrained import Pretrained

BACKBONE = "tf_efficientnet_lite0"
"""Whose weights come with `lta[backbone]`."""

SIZE = 320
"""Pixels of a picture's shorter side, as in conf/teach.yaml (a test holds them together)."""


class UntaughtClassifier(nn.Module):
    """As far as effects ask it: a `TrainedClassifier` that nothing has trained. Its only map is the length of the features,
    and of its classes' probabilities nothing can be learned. Raises ValueError where the weights of `backbone`, a network
    of timm, can't be had."""

    def __init__(self, backbone: str = BACKBONE):
        super().__init__()
        self.network = taught_map(len(CLASS_NAMES), {"name": backbone, "weights": None})
        self.network.show_length()
        self.preprocess = Pretrained(backbone)
        self.class_names: Sequence[str] = CLASS_NAMES
        self.hparams: dict[str, Any] = {
            "image_size": [SIZE, SIZE],
            "config": {},
            "taught_by": {"labels": False, "masks": 0},
        }
        self.eval()

    def forward(self, images: Tensor) -> NetworkOutput:
        return self.network(self.preprocess(images))
