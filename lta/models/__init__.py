"""Networks: trunks, attention networks on them, and networks without attention to compare with. Plain PyTorch."""

from lta.models.air_family import air_attention, air_gap
from lta.models.attention_net import AttentionNet
from lta.models.controls import GAPNet, PlainNet
from lta.models.output import NetworkOutput
from lta.models.resnet_family import resnet_attention
from lta.models.vgg_family import vgg_attention, vgg_gap, vgg_late

__all__ = [
    "AttentionNet",
    "GAPNet",
    "NetworkOutput",
    "PlainNet",
    "air_attention",
    "air_gap",
    "resnet_attention",
    "vgg_attention",
    "vgg_gap",
    "vgg_late",
]
