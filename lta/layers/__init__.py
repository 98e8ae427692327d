"""What attention is made of: compatibility scores, the attention unit, heads. Plain PyTorch."""

from lta.layers.attention import Attention, AttentionOutput
from lta.layers.compatibility import Additive, Compatibility, DotProduct, Frozen, Parametrised, Uniform
from lta.layers.heads import ConcatHead, IndependentHead, Prediction

__all__ = [
    "Additive",
    "Attention",
    "AttentionOutput",
    "Compatibility",
    "ConcatHead",
    "DotProduct",
    "Frozen",
    "IndependentHead",
    "Parametrised",
    "Prediction",
    "Uniform",
]
