"""Data sets: Lightning's data modules with splits of uint8 pictures, labels, and masks or roles where there are some."""

from lta.data.adapted import AdaptedModule, adapt
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.box_folder import BoxFolder
from lta.data.cifar import CIFAR
from lta.data.composites import Composites
from lta.data.cub200 import CUB200
from lta.data.digit_pairs import DigitPairs
from lta.data.digit_scenes import DigitScenes
from lta.data.errors import DataError
from lta.data.evaluation_data import EvaluationData, FolderToLookAt
from lta.data.image_folder import ImageFolder
from lta.data.known_masks import KnownMasks
from lta.data.marked_folder import MarkedFolder
from lta.data.mask_folder import MaskFolder
from lta.data.rows import Rows
from lta.data.scaled import Scaled
from lta.data.stl10 import STL10
from lta.data.svhn import SVHN

__all__ = [
    "CIFAR",
    "CUB200",
    "STL10",
    "SVHN",
    "AdaptedModule",
    "BoxFolder",
    "Composites",
    "DataError",
    "DigitPairs",
    "DigitScenes",
    "EvaluationData",
    "FolderToLookAt",
    "ImageData",
    "ImageFolder",
    "KnownMasks",
    "MarkedFolder",
    "MaskFolder",
    "Rows",
    "Scaled",
    "Split",
    "adapt",
]
