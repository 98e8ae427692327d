"""Networks: trunks, attention networks on them, and networks without attention to compare with. Plain PyTorch."""

from lta.models.air_family import air, air_attention, air_gap
from lta.models.air_trunk import AirStyle, AirTrunk
from lta.models.attention_net import AttentionNet
from lta.models.backbone_family import backbone_attention, backbone_gap
from lta.models.backbone_trunk import BackboneTrunk
from lta.models.controls import GAPNet, PlainNet
from lta.models.measured import Measured
from lta.models.output import NetworkOutput
from lta.models.resnet_family import resnet, resnet_attention
from lta.models.resnet_trunk import ResNetTrunk
from lta.models.trunk import StagedTrunk
from lta.models.vgg_family import vgg, vgg_attention, vgg_gap, vgg_late
from lta.models.vgg_trunk import Style, VGGTrunk

__all__ = [
    "AirStyle",
    "AirTrunk",
    "AttentionNet",
    "BackboneTrunk",
    "GAPNet",
    "Measured",
    "NetworkOutput",
    "PlainNet",
    "ResNetTrunk",
    "StagedTrunk",
    "Style",
    "VGGTrunk",
    "air",
    "air_attention",
    "air_gap",
    "backbone_attention",
    "backbone_gap",
    "resnet",
    "resnet_attention",
    "vgg",
    "vgg_attention",
    "vgg_gap",
    "vgg_late",
]
