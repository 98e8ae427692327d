"""Steps of equal size in every direction, for the weights of convolutions (Jordan et al. 2024, "Muon")."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lta.training import foreach

QUINTIC = (3.4445, -4.7750, 2.0315)  # a, b, c of a X + b X X'X + c X (X'X)^2


def orthogonalise_matrix(
    matrix: Float[Tensor, "*stack rows columns"], rounds: int = 5
) -> Float[Tensor, "*stack rows columns"]:
    """About U V' of the singular value decomposition U S V', by Newton and Schulz's iteration: after five rounds singular
    values lie between 0.68 and 1.21, those that were below two thousandths of the norm less. Zeros stay zeros. In the
    matrix's own precision; each matrix of a stack by itself."""
    a, b, c = QUINTIC
    stack = matrix.reshape(-1, *matrix.shape[-2:])
    found = stack if stack.shape[1] <= stack.shape[2] else stack.mT
    found = found / (torch.linalg.matrix_norm(found, keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return (found if stack.shape[1] <= stack.shape[2] else found.mT).reshape(matrix.shape)


class Muon(torch.optim.SGD):
    """SGD, but for groups with `orthogonal=True`, whose parameters are weights of convolutions: (out, in, ...), taken as
    matrices of `out` rows. Their gradient and Nesterov's momentum (the group's `muon_momentum`; SGD's momentum and decay
    are off) are replaced by the nearest orthogonal matrix, larger by sqrt(rows / columns) where there are more rows than
    columns. At width 1 a step of a VGG costs 200 GFLOP more, whatever the batch.

    Before each step the weight is scaled to the norm sqrt(out), so that a step turns the filters by an angle that the rate
    alone decides. What a network computes doesn't depend on that norm where a batch norm follows the convolution; weight
    decay has nothing to do there. The norm is that of airbench94_muon.py of KellerJordan/cifar10-airbench, which makes three
    rounds where five are made here, in bfloat16, and has no factor sqrt(rows / columns); these two are KellerJordan/Muon's.
    (torch.optim.Muon takes matrices only, leaves the norm alone, and knows no other groups.)

    Weights of equal shape are turned together. A group may say how: `rounds` of the iteration (5), and with `bfloat16` in
    that precision, in which a direction comes out a hundredth of its length beside; the weights keep their own.

    Where a gradient is nothing but rounding (the branch that acts on nothing, with softmax pc), its steps are as large as
    others'.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """In orthogonal groups SGD adds no momentum and no weight decay of its own."""
        if param_group.get("orthogonal"):  # SGD has only to take the step
            param_group |= {"momentum": 0.0, "nesterov": False, "dampening": 0.0, "weight_decay": 0.0}
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Replaces the gradients of the orthogonal groups by Muon's direction, then takes SGD's step for all groups."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("orthogonal"):
                self._turn(group)
        super().step()
        return loss

    def _turn(self, group: dict[str, Any]) -> None:
        moved = [weight for weight in group["params"] if weight.grad is not None]
        alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
        for weight, direction in zip(moved, self._add_momentum(moved, group["muon_momentum"]), strict=True):
            alike.setdefault(weight.shape, []).append((weight, direction.flatten(1)))
        for pairs in alike.values():
            weights, rows = [weight for weight, _ in pairs], torch.stack([row for _, row in pairs])
            own = rows.dtype
            turned = orthogonalise_matrix(rows.bfloat16() if group.get("bfloat16") else rows, group.get("rounds", 5)).to(own)
            turned *= max(1.0, rows.shape[1] / rows.shape[2]) ** 0.5
            for weight, direction in zip(weights, turned, strict=True):
                weight.grad = torch.empty_like(weight).copy_(direction.view_as(weight))  # laid out as the weight is
            scales = weights[0].shape[0] ** 0.5 / (torch.stack(foreach.norm(weights)) + 1e-7)
            foreach.mul_(weights, list(scales.unbind()))

    def _add_momentum(self, weights: list[Tensor], momentum: float) -> Sequence[Tensor]:
        """Of all weights at once: on a GPU, to start a kernel for each takes longer than what it computes."""
        if not weights:
            return []
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for weight, gradient in zip(weights, gradients, strict=True):
            if "muon_buffer" not in self.state[weight]:
                self.state[weight]["muon_buffer"] = torch.zeros_like(gradient)
        buffers = [self.state[weight]["muon_buffer"] for weight in weights]
        foreach.mul_(buffers, momentum)
        foreach.add_(buffers, gradients)
        return foreach.add(gradients, buffers, alpha=momentum)
