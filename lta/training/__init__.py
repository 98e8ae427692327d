"""How a network is trained: the Lightning module, losses, recipes, schedules, optimisers."""

from lta.training.adamw import AdamWRecipe
from lta.training.binary_loss import BinaryCrossEntropy
from lta.training.classifier import Classifier
from lta.training.lookahead import Lookahead
from lta.training.losses import CrossEntropy, LabelLoss
from lta.training.muon import Muon
from lta.training.prediction import LeftOut, Prediction
from lta.training.recipes import Recipe, SGDRecipe
from lta.training.schedules import Schedule, Steps, Triangle, WarmupCosine

__all__ = [
    "AdamWRecipe",
    "BinaryCrossEntropy",
    "Classifier",
    "CrossEntropy",
    "LabelLoss",
    "LeftOut",
    "Lookahead",
    "Muon",
    "Prediction",
    "Recipe",
    "SGDRecipe",
    "Schedule",
    "Steps",
    "Triangle",
    "WarmupCosine",
]
