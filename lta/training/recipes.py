"""How a network is trained: loss, optimiser, learning rate. A recipe is the only thing that knows the schedule."""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lta import checks
from lta.models.output import NetworkOutput


class Recipe(ABC):
    """`epochs` of training; `optimizer` and `learning_rate` are asked once, `loss` every step."""

    def __init__(self, epochs: int):
        checks.whole("recipe.epochs", epochs, least=1)
        self.epochs = epochs

    @abstractmethod
    def optimizer(self, network: nn.Module, batch_size: int) -> torch.optim.Optimizer:
        """The optimiser, whose `lr` is the base that `learning_rate` multiplies. `batch_size`: over all processes."""

    @abstractmethod
    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        """The factor on the base learning rate at 0-based optimiser step `step`."""

    @abstractmethod
    def loss(self, output: NetworkOutput, labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]: ...


class FastRecipe(Recipe):
    """A modern recipe for a small budget: Nesterov SGD, linear warm-up then cosine to zero, label smoothing, no weight
    decay on anything one-dimensional (norms, biases, the scorers u).

    `lr` is the peak for a batch of `lr_batch` images and is scaled with the batch size; `lr_batch=0` takes it as given.
    """

    def __init__(
        self, epochs: int, lr: float = 0.1, lr_batch: int = 128, momentum: float = 0.9, weight_decay: float = 5e-4,
        warmup: float = 0.15, label_smoothing: float = 0.0,
    ):  # fmt: skip
        super().__init__(epochs)
        checks.number("recipe.lr", lr, 0, 100, without_low=True)
        checks.whole("recipe.lr_batch", lr_batch)
        for name, value in (("momentum", momentum), ("weight_decay", weight_decay), ("warmup", warmup)):
            checks.number(f"recipe.{name}", value, 0, 1)
        checks.number("recipe.label_smoothing", label_smoothing, 0, 1)
        self.lr, self.lr_batch = lr, lr_batch
        self.momentum, self.weight_decay = momentum, weight_decay
        self.warmup, self.label_smoothing = warmup, label_smoothing

    def optimizer(self, network: nn.Module, batch_size: int) -> torch.optim.Optimizer:
        lr = self.lr * batch_size / self.lr_batch if self.lr_batch else self.lr
        decayed = [p for p in network.parameters() if p.ndim > 1]
        free = [p for p in network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": free, "weight_decay": 0.0}]
        return torch.optim.SGD(groups, lr=lr, momentum=self.momentum, nesterov=self.momentum > 0)

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        total = self.epochs * steps_per_epoch
        rising = self.warmup * total
        if step < rising:
            return (step + 1) / (rising + 1)
        return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(total - rising, 1)))

    def loss(self, output: NetworkOutput, labels: Int[Tensor, " batch"]) -> Float[Tensor, ""]:
        return nn.functional.cross_entropy(output.logits.float(), labels, label_smoothing=self.label_smoothing)
