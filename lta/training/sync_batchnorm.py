"""Batch statistics over several GPUs for which Python does not wait.

torch's SyncBatchNorm leaves out processes without images, and to know which, it reads numbers back from the GPU in every
norm of every step. In lta's batches each process has as many images as any other (`lta.data.batches.EpochBatches`).
"""

from typing import Any, cast

import torch
import torch.distributed as dist
from pytorch_lightning.plugins import TorchSyncBatchNorm
from torch import Tensor, nn
from torch.nn.modules._functions import SyncBatchNorm as OfTorch


class EqualShares(OfTorch):
    """torch's own, but for the forward pass: it is given that every process has as many images."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] as torch has it
        ctx: Any,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        eps: float,
        momentum: float,
        process_group: Any,
        world_size: int,
    ) -> Tensor:
        if not input.is_contiguous(memory_format=torch.channels_last):
            input = input.contiguous()
        own = torch.cat(torch.batch_norm_stats(input, eps))
        of_all = own.new_empty(world_size, len(own))
        gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor  # its older name
        gather(of_all, own, process_group)
        means, inverse_stds = of_all.chunk(2, dim=1)
        counts = own.new_full((world_size,), input.numel() // input.shape[1])
        mean, inverse_std = torch.batch_norm_gather_stats_with_counts(
            input, means, inverse_stds, running_mean, running_var, momentum, eps, counts
        )
        ctx.save_for_backward(input, weight, mean, inverse_std, counts.to(torch.int32).unsqueeze(1))
        ctx.process_group = process_group
        return torch.batch_norm_elemt(input, weight, bias, mean, inverse_std, eps)


class EqualBatchNorm(nn.SyncBatchNorm):
    """nn.SyncBatchNorm that takes the way without waiting in training, where several processes talk by nccl."""

    def forward(self, input: Tensor) -> Tensor:
        group = self.process_group or (dist.group.WORLD if dist.is_initialized() else None)
        if not self.training or self.momentum is None or group is None or not talks_by_nccl(group):
            return super().forward(input)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        running = (self.running_mean, self.running_var) if self.track_running_stats else (None, None)
        places = (self.eps, self.momentum, group, dist.get_world_size(group))
        return cast("Tensor", EqualShares.apply(input, self.weight, self.bias, *running, *places))


def talks_by_nccl(group: Any) -> bool:
    """Whether the group has several processes that exchange by nccl."""
    return dist.get_world_size(group) > 1 and dist.get_backend(group) == "nccl"


class SyncEqualShares(TorchSyncBatchNorm):
    """Lightning's conversion of a network's batch norms, and back."""

    def apply(self, model: nn.Module) -> nn.Module:
        """Lightning's conversion; each batch norm then takes equally many images of every process for granted."""
        model = super().apply(model)
        for module in model.modules():
            if type(module) is nn.SyncBatchNorm:
                module.__class__ = EqualBatchNorm
        return model
