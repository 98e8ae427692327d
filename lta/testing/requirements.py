"""What the checks share: one line for what is wrong, weights that say something, gradients."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from lta.protocols import list_missing

BATCH = 4
ALIKE = 1e-4
"""Of the largest value: float32's rounding over a network's layers."""


def require(holds: bool, given: object, what: str) -> None:
    """Raises AssertionError, which names the class or function `given`, where it does not hold."""
    if not holds:
        function = getattr(given, "func", given)  # of functools.partial
        raise AssertionError(f"{getattr(function, '__name__', type(function).__name__)}: {what}")


def require_members(given: object, contract: type) -> None:
    """Raises AssertionError where one of `lta.protocols` is not there."""
    missing = ", ".join(list_missing(given, contract))
    require(not missing, given, f"it has no {missing}, which lta.protocols.{contract.__name__} asks for")


@contextmanager
def draw_the_same() -> Iterator[None]:
    """Within it torch's random numbers on the CPU begin from seed 0; afterwards they go on as before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


@torch.no_grad()
def perturb_weights(module: nn.Module) -> None:
    """Weights that begin as zero let no gradient through, which says nothing of the module."""
    for weight in module.parameters():
        spread = float((weight - weight.mean()).square().mean()) ** 0.5
        weight.add_(0.3 * (spread or 0.5 / weight.numel() ** 0.5) * torch.randn_like(weight))


def are_alike(one: Tensor, other: Tensor) -> bool:
    """But for rounding."""
    return float((one - other).detach().abs().max()) <= ALIKE * max(float(other.detach().abs().max()), 1e-6)


def check_logits(given: object, logits: Tensor, loss_logits: Sequence[Tensor], num_classes: int, batch: int) -> None:
    """Fails where the logits are not finite or not of the shape (batch, num_classes)."""
    require(isinstance(loss_logits, tuple) and len(loss_logits) > 0, given, "loss_logits must be a tuple, as (logits,)")
    for name, values in [("logits", logits), *(("loss_logits", values) for values in loss_logits)]:
        shape = tuple(values.shape)
        require(shape == (batch, num_classes), given, f"{name} have the shape {shape}, not {(batch, num_classes)}")
        require(bool(values.isfinite().all()), given, f"{name} are not finite")


def check_classifiers(given: object, classifiers: Iterable[nn.Module], num_classes: int) -> None:
    """Fails where `classifiers` is empty or names anything but linear layers with an output for each class."""
    require(len(list(classifiers)) > 0, given, "classifiers is empty: it names the linear layers that put out the classes")
    for layer in classifiers:
        fits = isinstance(layer, nn.Linear) and layer.out_features == num_classes
        require(fits, given, f"classifiers has {layer}, which is not an nn.Linear with {num_classes} outputs")


def compute_loss(loss_logits: Sequence[Tensor]) -> Tensor:
    """The sum of the cross-entropies of all logits, with labels 0, 1, 2, ..."""
    labels = torch.arange(BATCH)
    return torch.stack([nn.functional.cross_entropy(logits, labels % logits.shape[1]) for logits in loss_logits]).sum()


def check_gradients(module: nn.Module, loss: Tensor, allowed: int = 0) -> None:
    """Every parameter that is trained gets a gradient, but for `allowed` of their numbers, which are said to act on nothing,
    and for single numbers: softmax cancels the bias of scores.

    One that gets none at all (None, not zeros) is always wrong: training on several devices would wait for it.
    """
    trained = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
    if not trained:
        return
    require(loss.requires_grad, module, "no gradient reaches its parameters")
    found = torch.autograd.grad(loss, list(trained.values()), allow_unused=True)
    gradients = dict(zip(trained, found, strict=True))
    unused = [name for name, gradient in gradients.items() if gradient is None]
    require(not unused, module, f"no gradient reaches {', '.join(unused)}: training on several devices would wait for it")
    dead = [name for name, gradient in gradients.items() if gradient.numel() > 1 and not gradient.any()]
    count = sum(trained[name].numel() for name in dead)
    require(count <= allowed, module, f"the gradient of {', '.join(dead)} is zero: it acts on nothing")
