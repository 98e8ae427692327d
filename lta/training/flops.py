"""How much a training computes, by count: a measure that doesn't depend on the machine."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from lta.protocols import Features, Loss
from lta.training.cached_features import give_features
from lta.training.classifier import Classifier


def count_step_flops(classifier: Classifier, batch_size: int, height: int, width: int, epoch: int = 0) -> int:
    """Floating-point operations of a step's forward and backward pass with `batch_size` pictures in 0-based `epoch`: of
    convolutions and matrix products, a multiplication and an addition being two (torch.utils.flop_counter). Augmentation
    and optimiser are not in it.

    Of features that were computed before (model.backbone.cache) only what reads them counts. Nothing is computed: the pass
    is made with tensors that have a shape and no values. The network stays as it is, and so do random numbers.
    """
    shape, first = (batch_size, 3, height, width), next(classifier.network.parameters())
    numbers = torch.zeros(batch_size, dtype=torch.int64)
    known = None if classifier.features is None else classifier.features.take("train", numbers, None, first.device)
    try:
        return _count_shapes(classifier, shape, known, epoch, _to_meta)
    except Exception:  # a network or loss of somebody's own: it asks for its device, or has tensors that are no part of it
        from torch._subclasses.fake_tensor import FakeTensorMode

        with FakeTensorMode(allow_non_fake_inputs=True) as fake:  # these say where they were, and take five times as long
            return _count_shapes(classifier, shape, known, epoch, fake.from_tensor)


def _to_meta(value: Tensor) -> Tensor:
    return value.detach().to("meta").requires_grad_(value.requires_grad)


def _count_shapes(
    classifier: Classifier,
    shape: tuple[int, int, int, int],
    known: Features | None,
    epoch: int,
    forget: Callable[[Tensor], Tensor],
) -> int:
    """`forget` makes of a tensor one of its shape, without values."""
    from torch.utils.flop_counter import FlopCounterMode  # costs half a second

    network = classifier.network
    assert isinstance(network, nn.Module)
    modes = [(module, module.training) for module in network.modules()]
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        named: list[tuple[str, Tensor]] = [*network.named_parameters(), *network.named_buffers()]
        state = {name: forget(value) for name, value in named}
        names = {id(value): name for name, value in named}
        for weight, epochs in classifier.trained_for:
            state[names[id(weight)]].requires_grad_(epoch < epochs)
        first = next(iter(state.values()))
        images = torch.empty(shape, device=first.device, dtype=first.dtype)
        labels = torch.zeros(len(images), device=first.device, dtype=torch.int64)
        if classifier.several_labels:
            labels = labels[:, None].expand(-1, len(classifier.class_names))
        if known is not None:
            query = None if known.query is None else forget(known.query)
            give_features(classifier.network, Features({key: forget(x) for key, x in known.levels.items()}, query))
        with FlopCounterMode(display=False) as counter:
            try:
                inside = {f"network.{name}": value for name, value in state.items()}
                functional_call(_Step(network.train(), classifier.loss), inside, (images, labels))
            finally:
                for module, mode in modes:
                    module.training = mode
    return counter.get_total_flops()


class _Step(nn.Module):
    """Forward and backward in one call: what is computed again in the backward pass finds the same tensors."""

    def __init__(self, network: nn.Module, loss: Loss):
        super().__init__()
        self.network, self._loss = network, (loss,)  # its buffers are no part of the network's

    def forward(self, images: Tensor, labels: Tensor) -> None:
        self._loss[0](self.network(images), labels).backward()


def describe_flops(flops: float) -> str:
    """In the largest unit that leaves a number of at least 1: "330 TFLOP"."""
    for unit, size in (("PFLOP", 1e15), ("TFLOP", 1e12), ("GFLOP", 1e9)):
        if flops >= size:
            return f"{flops / size:.3g} {unit}"
    return f"{flops / 1e6:.3g} MFLOP"
