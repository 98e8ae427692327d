"""Convolutions that no batch norm follows."""

from torch import nn


class BareConv2d(nn.Conv2d):
    """The norm of its weights changes what the network computes, as it does not where a batch norm follows: an optimiser
    that keeps norms (Muon) leaves it alone."""
