"""Training of heads on a pretrained network, and of its last parts: AdamW, with smaller steps in earlier parts."""

from typing import Any, Protocol, cast

import torch
from torch import nn

from lta import checks
from lta.training.recipes import Recipe
from lta.training.schedules import Schedule, WarmupCosine


class PretrainedTrunk(Protocol):
    """`list_trained_parts`: parameters that are trained, part by part, shallow to deep."""

    def list_trained_parts(self) -> list[list[nn.Parameter]]: ...


class AdamWRecipe(Recipe):
    """AdamW. `lr` is the base rate for a batch of `lr_batch` images and is scaled with the root of the batch size;
    `lr_batch=0` takes it as given.

    Of a network on a pretrained trunk (one that has `list_trained_parts`), the trunk's last part learns at `trunk_lr_scale`
    times that rate, and each part before it at `layer_decay` times that of the next. The groups of parameters are made once.
    Weight decay leaves out everything one-dimensional (norms, biases, scorers). `label_smoothing`: as of SGDRecipe.
    """

    def __init__(
        self,
        epochs: int,
        lr: float = 1e-3,
        lr_batch: int = 128,
        weight_decay: float = 0.05,
        trunk_lr_scale: float = 0.1,
        layer_decay: float = 0.7,
        label_smoothing: float = 0.0,
        average_gradients: bool = False,
        schedule: Schedule | None = None,
    ):
        super().__init__(epochs, average_gradients)
        checks.require_number("recipe.lr", lr, 0, 100, without_low=True)
        checks.require_whole_number("recipe.lr_batch", lr_batch)
        checks.require_number("recipe.weight_decay", weight_decay, 0, 10)
        checks.require_number("recipe.trunk_lr_scale", trunk_lr_scale, 0, 100, without_low=True)
        checks.require_number("recipe.layer_decay", layer_decay, 0, 1, without_low=True)
        checks.require_number("recipe.label_smoothing", label_smoothing, 0, 1)
        if schedule is not None and not isinstance(schedule, Schedule):
            raise ValueError(f"recipe.schedule={schedule} is not how it is chosen; give schedule={schedule}")
        self.lr, self.lr_batch, self.weight_decay = lr, lr_batch, weight_decay
        self.trunk_lr_scale, self.layer_decay, self.label_smoothing = trunk_lr_scale, layer_decay, label_smoothing
        self.schedule = schedule or WarmupCosine()

    def optimizer(self, network: nn.Module, batch_size: int) -> torch.optim.Optimizer:
        """Groups with rates of their own: everything outside the backbone at the full rate, and each trained part of it, the
        last one first."""
        lr = self.lr * (batch_size / self.lr_batch) ** 0.5 if self.lr_batch else self.lr
        trunk = getattr(network, "trunk", None)
        parts = cast(PretrainedTrunk, trunk).list_trained_parts() if hasattr(trunk, "list_trained_parts") else []
        inside = {id(weight) for part in parts for weight in part}
        others = [weight for weight in network.parameters() if weight.requires_grad and id(weight) not in inside]
        rates = [lr * self.trunk_lr_scale * self.layer_decay**depth for depth in range(len(parts))]
        groups = [group for part, rate in zip(reversed(parts), rates, strict=True) for group in self._group(part, rate)]
        return _make_adamw([*self._group(others, lr), *groups], lr)

    def _group(self, weights: list[nn.Parameter], lr: float) -> list[dict[str, Any]]:
        decayed, free = ([w for w in weights if (w.ndim > 1) is wanted] for wanted in (True, False))
        groups = [(decayed, self.weight_decay), (free, 0.0)]
        return [{"params": params, "lr": lr, "weight_decay": decay} for params, decay in groups if params]

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        return self.schedule.factor(step, steps_per_epoch, self.epochs)

    def forgets_momentum(self, epoch: int) -> bool:
        return self.schedule.forgets_momentum(epoch, self.epochs)

    def why_not_longer(self) -> str | None:
        return self.schedule.why_not_longer()


def _make_adamw(groups: list[dict[str, Any]], lr: float) -> torch.optim.AdamW:
    """On the CPU in one pass over the weights: of 1.6 million, a step takes a fifth of the time."""
    on_cpu = all(weight.device.type == "cpu" for group in groups for weight in group["params"])
    optimizer = torch.optim.AdamW(groups, lr=lr, fused=True if on_cpu else None)
    if on_cpu:  # it could take scaled gradients, of which Lightning would clip none; on a CPU no gradient is scaled
        optimizer._step_supports_amp_scaling = False
    return optimizer
