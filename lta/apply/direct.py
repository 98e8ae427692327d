"""Effects in Python, without a command: `lta.mask_of`, `lta.autoblur`."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from lta.apply.sources import from_classifier
from lta.effects.autoblur import autoblur as blur
from lta.effects.transparency import apply_effect
from lta.inference.checkpoint import load
from lta.inference.untaught import UntaughtClassifier
from lta.pictures.grey_range import find_grey_range
from lta.pictures.read import Picture, read_image
from lta.protocols import TrainedClassifier

DEFAULTS = {
    "levels": None,
    "combine": "product",
    "scales": None,
    "query": None,
    "low": None,
    "high": None,
    "edges": None,
    "feather": 0.0,
    "invert": False,
}
"""As in conf/apply.yaml (a test holds them together)."""


def mask_of(
    picture: Any, network: str | Path | TrainedClassifier | None = None, **attention: Any
) -> Float[np.ndarray, "height width"]:
    """How much each pixel is attended, 0 to 1, as lta.apply has it.

    `picture`: a file, or a PIL image. `network`: a run directory or checkpoint file, or what `lta.load` gave; for many
    pictures give the latter, which is read once. None: nothing trained, the length of a pretrained backbone's features.
    `attention`: settings of conf/apply.yaml (`levels`, `scales`, `edges`, ...). Raises ValueError for settings that there
    are not, a network without maps, and a picture that can't be read.
    """
    classifier = _get_network(network)
    return _attend(_get_picture(picture, classifier), classifier, attention).numpy()


def autoblur(
    picture: Any,
    network: str | Path | TrainedClassifier | None = None,
    strength: float = 1.0,
    radius: float = 0.03,
    **attention: Any,
) -> Image.Image:
    """The picture with what is not attended blurred; `strength` and `radius` as `lta.effects.autoblur` has them, everything
    else as `mask_of`. What is attended stays as it is."""
    classifier = _get_network(network)
    given = _get_picture(picture, classifier)
    mask = _attend(given, classifier, attention)

    def effect(*parts: Any) -> Any:
        return blur(*parts, strength=strength, radius=radius)

    pixels = apply_effect(effect, given.rgb, mask, given.alpha)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def _attend(
    picture: Picture, classifier: TrainedClassifier, attention: dict[str, Any]
) -> Float[torch.Tensor, "rows columns"]:
    if unknown := set(attention) - set(DEFAULTS):
        raise ValueError(f"attention has no setting {min(unknown)}; its settings are {', '.join(DEFAULTS)}")
    return from_classifier(classifier, {**DEFAULTS, **attention}, "this network").attend(picture).mask


def _get_network(network: str | Path | TrainedClassifier | None) -> TrainedClassifier:
    if network is None:
        return _get_untaught()
    return load(network) if isinstance(network, str | Path) else network


@cache
def _get_untaught() -> TrainedClassifier:
    return UntaughtClassifier()


def _get_picture(picture: Any, classifier: TrainedClassifier) -> Picture:
    if isinstance(picture, str | Path):
        return read_image(picture, grey_range=find_grey_range(classifier.hparams))
    if not isinstance(picture, Image.Image):
        raise ValueError(f"the picture must be a file or a PIL image, not {type(picture).__name__}")
    opaque = picture.mode not in ("RGBA", "LA", "PA") and "transparency" not in picture.info
    pixels = torch.from_numpy(np.array(picture.convert("RGB" if opaque else "RGBA"))).permute(2, 0, 1)
    return Picture(None, pixels[:3], None if opaque else pixels[3], None, "PNG", ())
