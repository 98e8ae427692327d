"""How a network is trained: optimiser, learning rate. A recipe is the only thing that knows the schedule."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from lta import checks
from lta.models.bare import BareConv2d
from lta.models.whitening import WhitenedConv
from lta.training.lookahead import Lookahead
from lta.training.muon import Muon
from lta.training.schedules import Schedule, WarmupCosine


class Recipe(ABC):
    """`epochs` of training; `optimizer` is asked once, `learning_rate` every step.

    `average_gradients`: see `lta.training.gradients`.
    """

    def __init__(self, epochs: int, average_gradients: bool = False):
        checks.require_whole_number("recipe.epochs", epochs, least=1)
        checks.require_flag("recipe.average_gradients", average_gradients)
        self.epochs, self.average_gradients = epochs, average_gradients

    @abstractmethod
    def optimizer(self, network: nn.Module, batch_size: int) -> torch.optim.Optimizer:
        """The optimiser, whose `lr` is the base that `learning_rate` multiplies. `batch_size`: over all processes.

        A parameter group with an entry `epochs` is trained for so many of them.
        """

    @abstractmethod
    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        """The factor on the base learning rate at 0-based optimiser step `step`."""

    def forgets_momentum(self, epoch: int) -> bool:
        """Whether the optimiser starts 0-based `epoch` without its momentum."""
        return False

    def callbacks(self) -> list[pl.Callback]:
        """What takes part in the training beside the optimiser."""
        return []

    def why_not_longer(self) -> str | None:
        """As of a Schedule."""
        return f"{type(self).__name__} does not say that more epochs leave those before as they are"


class SGDRecipe(Recipe):
    """SGD with momentum. `recipe=fast` and `recipe=author` are this with other values: each difference between them is a
    switch of its own.

    `lr` is the base rate for a batch of `lr_batch` images and is scaled with the batch size; `lr_batch=0` takes it as
    given. `dampening`: the share of each gradient that is left out of the momentum buffer, but for the first (Torch7's
    default is that of `momentum`: the rate then acts like lr (1 - dampening)). `decay_vectors`: weight decay also on
    everything one-dimensional (norms, biases, the scorers u). `label_smoothing`: that of the loss it is made for, which does
    the smoothing; conf/loss/default.yaml reads it here, and a Classifier of another loss is refused.

    Tricks of arXiv 2404.00498: `norm_bias_scale`, by which the rate of batch norms' biases is multiplied and their decay
    divided; `first_bias_epochs`, for how many epochs the bias of a whitened convolution is trained; `lookahead`, see there.

    `muon_lr`: trained convolutions over more than one pixel, which a batch norm follows, are trained by Muon (see there)
    with this base rate for `lr_batch` images, scaled with the *root* of the batch size, `muon_momentum` (null: 0.6),
    `muon_rounds` (null: 5) and, with `muon_bfloat16`, in that precision. The rest stays with SGD.

    Raises ValueError where Nesterov is combined with dampening or with no momentum, which neither Torch7 nor PyTorch
    defines, and for another of Muon's settings without `muon_lr`.
    """

    def __init__(
        self,
        epochs: int,
        lr: float = 0.1,
        lr_batch: int = 128,
        momentum: float = 0.9,
        dampening: float = 0.0,
        nesterov: bool = True,
        weight_decay: float = 5e-4,
        decay_vectors: bool = False,
        label_smoothing: float = 0.0,
        average_gradients: bool = False,
        schedule: Schedule | None = None,
        norm_bias_scale: float = 1.0,
        first_bias_epochs: int | None = None,
        lookahead: bool = False,
        muon_lr: float | None = None,
        muon_momentum: float | None = None,
        muon_rounds: int | None = None,
        muon_bfloat16: bool = False,
    ):
        super().__init__(epochs, average_gradients)
        checks.require_number("recipe.lr", lr, 0, 100, without_low=True)
        checks.require_whole_number("recipe.lr_batch", lr_batch)
        for name, value in (("momentum", momentum), ("dampening", dampening), ("weight_decay", weight_decay)):
            checks.require_number(f"recipe.{name}", value, 0, 1)
        checks.require_flag("recipe.nesterov", nesterov)
        checks.require_flag("recipe.decay_vectors", decay_vectors)
        checks.require_number("recipe.label_smoothing", label_smoothing, 0, 1)
        if nesterov and (dampening or not momentum):
            given = f"momentum={momentum:g} and recipe.dampening={dampening:g}"
            raise ValueError(f"recipe.nesterov=true needs momentum and no dampening; here recipe.{given}")
        checks.require_number("recipe.norm_bias_scale", norm_bias_scale, 0, 1000, without_low=True)
        if first_bias_epochs is not None:
            checks.require_whole_number("recipe.first_bias_epochs", first_bias_epochs)
        checks.require_flag("recipe.lookahead", lookahead)
        if muon_lr is not None:
            checks.require_number("recipe.muon_lr", muon_lr, 0, 10, without_low=True)
        if muon_momentum is not None:
            checks.require_number("recipe.muon_momentum", muon_momentum, 0, 1)
        if muon_rounds is not None:
            checks.require_whole_number("recipe.muon_rounds", muon_rounds, least=1)
        checks.require_flag("recipe.muon_bfloat16", muon_bfloat16)
        for name, value in (("momentum", muon_momentum), ("rounds", muon_rounds), ("bfloat16", muon_bfloat16 or None)):
            if value is not None and muon_lr is None:
                raise ValueError(f"recipe.muon_{name}={value} has no effect without recipe.muon_lr")
        self.muon_rounds, self.muon_bfloat16 = 5 if muon_rounds is None else muon_rounds, muon_bfloat16
        self.muon_lr, self.muon_momentum = muon_lr, 0.6 if muon_momentum is None else muon_momentum
        self.norm_bias_scale, self.first_bias_epochs, self.lookahead = norm_bias_scale, first_bias_epochs, lookahead
        self.lr, self.lr_batch = lr, lr_batch
        self.sgd = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov}
        self.weight_decay, self.decay_vectors = weight_decay, decay_vectors
        self.label_smoothing = label_smoothing
        if schedule is not None and not isinstance(schedule, Schedule):
            raise ValueError(f"recipe.schedule={schedule} is not how it is chosen; give schedule={schedule}")
        self.schedule = schedule or WarmupCosine()

    def optimizer(self, network: nn.Module, batch_size: int) -> torch.optim.Optimizer:
        lr = self.lr * batch_size / self.lr_batch if self.lr_batch else self.lr
        decay_of_vectors = self.weight_decay if self.decay_vectors else 0.0
        apart = []
        if self.norm_bias_scale != 1:
            biases = [m.bias for m in network.modules() if isinstance(m, _BatchNorm) and m.bias is not None]
            scale = self.norm_bias_scale
            apart.append({"params": biases, "lr": lr * scale, "weight_decay": decay_of_vectors / scale})
        if self.first_bias_epochs is not None:
            biases = [module.bias for module in network.modules() if isinstance(module, WhitenedConv)]
            apart.append({"params": biases, "weight_decay": decay_of_vectors, "epochs": self.first_bias_epochs})
        if self.muon_lr is not None:
            apart.append(self._build_muon_group(network, batch_size))
        taken = {id(p) for group in apart for p in group["params"]}
        others = [p for p in network.parameters() if p.requires_grad and id(p) not in taken]
        decayed = [p for p in others if p.ndim > 1 or self.decay_vectors]
        free = [p for p in others if p.ndim <= 1 and not self.decay_vectors]
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": free, "weight_decay": 0.0}, *apart]
        kind = torch.optim.SGD if self.muon_lr is None else Muon
        return kind([group for group in groups if group["params"]], lr=lr, **self.sgd)

    def _build_muon_group(self, network: nn.Module, batch_size: int) -> dict[str, Any]:
        assert self.muon_lr is not None
        convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        normed = [module.weight for module in convolutions if not isinstance(module, BareConv2d)]
        weights = [weight for weight in normed if weight.requires_grad and weight[0, 0].numel() > 1]
        scale = (batch_size / self.lr_batch) ** 0.5 if self.lr_batch else 1.0
        how = {"muon_momentum": self.muon_momentum, "rounds": self.muon_rounds, "bfloat16": self.muon_bfloat16}
        return {"params": weights, "orthogonal": True, "lr": self.muon_lr * scale, **how}

    def callbacks(self) -> list[pl.Callback]:
        return [Lookahead()] if self.lookahead else []

    def why_not_longer(self) -> str | None:
        if self.lookahead:
            return "recipe.lookahead looks back by the number of epochs"
        return self.schedule.why_not_longer()

    def learning_rate(self, step: int, steps_per_epoch: int) -> float:
        return self.schedule.factor(step, steps_per_epoch, self.epochs)

    def forgets_momentum(self, epoch: int) -> bool:
        return self.schedule.forgets_momentum(epoch, self.epochs)
