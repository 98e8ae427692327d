"""Batch norm over processes of equal shares is batch norm over all images. Two threads stand for two GPUs, and plain torch
for the kernels that only GPUs have."""

import threading
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lta.training.sync_batchnorm import EqualBatchNorm, SyncEqualShares

EPS = 1e-3


def by_channel(x):
    return x.transpose(0, 1).flatten(1)


def over(vector, x):
    return vector.view(1, -1, *(1 for _ in x.shape[2:]))


def stats(x, eps):
    return by_channel(x).mean(1), (by_channel(x).var(1, unbiased=False) + eps).rsqrt()


def gather(x, means, inverse_stds, running_mean, running_var, momentum, eps, counts):
    total, weights = counts.sum(), counts.unsqueeze(1)
    mean = (means * weights).sum(0) / total
    variance = ((inverse_stds**-2 - eps + means**2) * weights).sum(0) / total - mean**2
    running_mean.lerp_(mean, momentum)
    running_var.lerp_(variance * total / (total - 1), momentum)
    return mean, (variance + eps).rsqrt()


def normalise(x, weight, bias, mean, inverse_std, eps):
    return (x - over(mean, x)) * over(inverse_std * weight, x) + over(bias, x)


def reduce(grad, x, mean, inverse_std, weight, *wanted):
    centred = by_channel(grad * (x - over(mean, x))).sum(1)
    return by_channel(grad).sum(1), centred, centred * inverse_std, by_channel(grad).sum(1)


def spread(grad, x, mean, inverse_std, weight, sum_grad, sum_centred, counts):
    total = counts.sum()
    along = (x - over(mean, x)) * over(inverse_std**2 * sum_centred / total, x)
    return (grad - over(sum_grad / total, x) - along) * over(inverse_std * weight, x)


class Exchange:
    """What two threads give each other."""

    def __init__(self):
        self.barrier, self.given = threading.Barrier(2, timeout=60), {}

    def _collect(self, own):
        self.given[threading.current_thread().name] = own.clone()
        self.barrier.wait()
        found = [self.given[name] for name in sorted(self.given)]
        self.barrier.wait()
        return found

    def all_gather(self, out, own, group):
        out.copy_(torch.stack(self._collect(own)))

    def all_reduce(self, own, *_, **__):
        own.copy_(sum(self._collect(own)))


@pytest.fixture
def _two_gpus(monkeypatch):
    exchange = Exchange()
    kernels = {
        "stats": stats,
        "gather_stats_with_counts": gather,
        "elemt": normalise,
        "backward_reduce": reduce,
        "backward_elemt": spread,
    }
    for name, kernel in kernels.items():
        monkeypatch.setattr(torch, f"batch_norm_{name}", kernel)
    for name in ("all_gather_into_tensor", "all_gather_single"):
        monkeypatch.setattr(torch.distributed, name, exchange.all_gather, raising=False)
    monkeypatch.setattr(torch.distributed, "all_reduce", exchange.all_reduce)
    world = {"get_world_size": lambda group: 2, "get_backend": lambda group: "nccl", "is_initialized": lambda: True}
    for name, answer in world.items():
        monkeypatch.setattr(torch.distributed, name, answer)


def make_norm(kind):
    norm = kind(3, eps=EPS, momentum=0.3).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 0.5]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, -1.0]))
    return norm


@pytest.mark.usefixtures("_two_gpus")
@pytest.mark.parametrize(("kind", "shape"), [(nn.BatchNorm2d, (8, 3, 4, 4)), (nn.BatchNorm1d, (8, 3))])
def test_halves_of_a_batch_are_normalised_as_the_whole(kind, shape):
    random = torch.Generator().manual_seed(0)
    images, wanted = (torch.randn(shape, dtype=torch.float64, generator=random) for _ in range(2))
    whole = make_norm(kind)
    of_whole = images.clone().requires_grad_()
    expected = whole(of_whole)
    (expected * wanted).sum().backward()
    found = {}

    def work(rank):
        norm = SyncEqualShares().apply(nn.Sequential(make_norm(kind)))[0]
        assert type(norm) is EqualBatchNorm
        norm.process_group = SimpleNamespace()
        half = images.chunk(2)[rank].clone().requires_grad_()
        output = norm(half)
        (output * wanted.chunk(2)[rank]).sum().backward()
        found[rank] = norm, half.grad, output.detach()

    threads = [threading.Thread(target=work, args=(rank,), name=f"rank {rank}") for rank in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.keys() == {0, 1}
    torch.testing.assert_close(torch.cat([found[rank][2] for rank in range(2)]), expected.detach())
    torch.testing.assert_close(torch.cat([found[rank][1] for rank in range(2)]), of_whole.grad)
    for rank in range(2):
        torch.testing.assert_close(found[rank][0].running_mean, whole.running_mean)
        torch.testing.assert_close(found[rank][0].running_var, whole.running_var)
        assert found[rank][0].num_batches_tracked == 1
    torch.testing.assert_close(sum(found[rank][0].weight.grad for rank in range(2)), whole.weight.grad)


@pytest.mark.usefixtures("_two_gpus")
def test_evaluation_asks_nobody_and_the_norm_comes_back():
    network = SyncEqualShares().apply(nn.Sequential(make_norm(nn.BatchNorm2d)))
    images = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(network.eval()(images), make_norm(nn.BatchNorm2d).eval()(images))
    back = SyncEqualShares().revert(network)
    assert not [module for module in back.modules() if isinstance(module, nn.SyncBatchNorm)]
    assert back.state_dict().keys() == network.state_dict().keys()
