"""What is done to pictures before a network sees them: preprocessing and augmentation, as modules. Plain PyTorch."""

from lta.transforms.augment import FlipCropCutout, HalfFlip
from lta.transforms.gcn_zca import GcnZca
from lta.transforms.normalize import Standardize
from lta.transforms.photographs import PhotographAugment
from lta.transforms.pictures import ImageArray
from lta.transforms.pretrained import Pretrained
from lta.transforms.yuv_lcn import YuvLcn

__all__ = ["FlipCropCutout", "GcnZca", "HalfFlip", "ImageArray", "PhotographAugment", "Pretrained", "Standardize", "YuvLcn"]
