"""What explanation methods show of the same network and pictures: computed by captum and grad-cam, not here."""

import copy
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta.evaluators.passes import run_forward_passes
from lta.measures.placement import Placement, place_in_picture
from lta.protocols import Network, Split, TrainedClassifier

OF_STAGES = ("gradcam", "gradcam_pp")
"""Those that look at the trunk's deepest features."""

EXPLANATIONS = {
    "gradcam": "Grad-CAM",
    "gradcam_pp": "Grad-CAM++",
    "saliency": "saliency",
    "integrated_gradients": "integrated gradients",
}
PIXELS = 2**16
"""Of a batch: gradients take many times the memory of a look."""


def has_explanation_libraries() -> bool:
    """Whether captum and grad-cam are installed."""
    return all(find_spec(library) for library in ("captum", "pytorch_grad_cam"))


def explain(
    classifier: TrainedClassifier, split: Split, names: Sequence[str], steps: int, batch_size: int
) -> dict[str, Float[np.ndarray, "images rows columns"]]:
    """Maps of the class that the network predicts, by name, non-negative; in float32 also under autocast.

    - "gradcam" (captum): at the deepest features of the trunk (level C), at their own resolution, positive part.
    - "gradcam_pp" (grad-cam): the same features, at their own resolution, from 0 to 1.
    - "saliency" (captum): the largest of the |gradients| by a pixel's three channels.
    - "integrated_gradients" (captum): `steps` steps from a picture that has everywhere the picture's own mean colour, so
      that neither bright nor dark objects are favoured; |sum over a pixel's channels|.

    The last two are gradients by the pixels themselves, through the network's preprocessing.
    """
    model = _Logits(classifier)
    methods = {name: _METHODS[name](model, steps) for name in names}

    def explain_batch(images: Tensor, index: np.ndarray) -> dict[str, Tensor]:
        with torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
            pixels = images.float()
            predicted = model(pixels).detach().argmax(1)
            return {name: method(pixels.clone().requires_grad_(), predicted) for name, method in methods.items()}

    size = split.images.shape[1] * split.images.shape[2]
    return run_forward_passes(classifier, split, explain_batch, max(1, min(batch_size, PIXELS // size)), "explanations")


def has_stages(network: Network) -> bool:
    """Whether there is a `find_deepest_stage`."""
    return bool(getattr(getattr(network, "trunk", None), "stages", None))


def place_deepest_stage(network: Network, size: tuple[int, int]) -> Placement:
    """Where the cells of `find_deepest_stage` lie in pictures of `size` (height, width)."""
    trunk = getattr(network, "trunk", None)
    cells = getattr(trunk, "cells", {})
    assert isinstance(cells, Mapping)
    assert trunk is not None, "has_stages comes first"
    return place_in_picture(cells[list(trunk.stages)[-1]], size)


def find_deepest_stage(network: nn.Module) -> nn.Module:
    """The trunk's last stage, level C: what every network of lta attends, pools or makes its query from."""
    trunk = network.trunk
    assert isinstance(trunk, nn.Module)
    stages = trunk.stages
    assert isinstance(stages, nn.ModuleDict)
    return list(stages.values())[-1]


class _Logits(nn.Module):
    """Pixels in, logits out: what these libraries take. A copy, since they hang hooks and gradients on what they explain."""

    def __init__(self, classifier: TrainedClassifier):
        super().__init__()
        self.preprocess = classifier.preprocess
        network = copy.deepcopy(classifier.network)
        assert isinstance(network, nn.Module)
        self.network = network.eval().requires_grad_(False)

    def forward(self, pixels: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        return self.network(self.preprocess(pixels)).logits


Method = Callable[[Tensor, Tensor], Tensor]


def _gradcam(model: _Logits, steps: int) -> Method:
    from captum.attr import LayerGradCam

    method = LayerGradCam(model, find_deepest_stage(model.network))

    def maps(pixels: Tensor, target: Tensor) -> Tensor:
        found = method.attribute(pixels, target, relu_attributions=True)
        assert isinstance(found, Tensor), "one layer was asked for"
        return found.detach().squeeze(1)

    return maps


def _gradcam_pp(model: _Logits, steps: int) -> Method:
    from pytorch_grad_cam import GradCAMPlusPlus
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    class AtCells(GradCAMPlusPlus):
        """Not enlarged: that package takes all cells to part the picture evenly."""

        def get_target_width_height(self, input_tensor: Tensor) -> Any:
            return None

    def maps(pixels: Tensor, target: Tensor) -> Tensor:
        with AtCells(model, [find_deepest_stage(model.network)]) as method:  # its hooks hold batches until it ends
            targets: list[Any] = [ClassifierOutputTarget(int(one)) for one in target]
            found = method(pixels, targets)
            return torch.from_numpy(found)

    return maps


def _saliency(model: _Logits, steps: int) -> Method:
    from captum.attr import Saliency

    return lambda pixels, target: Saliency(model).attribute(pixels, target, abs=True).detach().amax(1)


def _integrated_gradients(model: _Logits, steps: int) -> Method:
    from captum.attr import IntegratedGradients

    method = IntegratedGradients(model)

    def maps(pixels: Tensor, target: Tensor) -> Tensor:
        mean = pixels.detach().mean((2, 3), keepdim=True).expand_as(pixels)
        found = method.attribute(pixels, mean, target, n_steps=steps, internal_batch_size=len(pixels))
        return found.detach().sum(1).abs()

    return maps


_METHODS = {
    "gradcam": _gradcam,
    "gradcam_pp": _gradcam_pp,
    "saliency": _saliency,
    "integrated_gradients": _integrated_gradients,
}
