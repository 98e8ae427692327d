"""The authors' averaged gradient at one junction."""

import torch

from lta.layers.junction import Junction


def gradient(averaging, training):
    junction = Junction(4).train(training)
    junction.averaging = averaging
    x = torch.tensor([[3.0]], requires_grad=True)
    joined = junction(x)
    torch.testing.assert_close(joined, x)
    (2 * joined + 5 * joined).sum().backward()
    return x.grad.item()


def test_the_sum_of_all_readers_is_divided_in_training_only():
    assert gradient(averaging=True, training=True) == 7 / 4
    assert gradient(averaging=True, training=False) == 7
    assert gradient(averaging=False, training=True) == 7
