"""Nothing in a training step reads a number back from the device: on a GPU that would wait for all that is queued there."""

import pytest
import pytorch_lightning as pl
import torch
from commands import TINY, lta_run
from torch.utils._python_dispatch import TorchDispatchMode

READS = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.equal.default, torch.ops.aten.nonzero.default}


class Watch(TorchDispatchMode):
    """What is read in the steps that `BetweenEnds` switches on."""

    now: "Watch"

    def __init__(self):
        super().__init__()
        self.on, self.steps, self.operations, self.read = False, 0, 0, []
        Watch.now = self

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.operations += self.on
        if self.on and operation in READS:
            self.read.append(str(operation))
        return operation(*args, **(kwargs or {}))


class BetweenEnds(pl.Callback):
    """From the end of an epoch's first step to the end of its last but one: whole steps with the callbacks and loops."""

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index):
        Watch.now.steps += 1
        Watch.now.on = batch_index < trainer.num_training_batches - 2


class Reads(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index):
        outputs["loss"].item()


def watched(capsys, directory, *arguments) -> Watch:
    with Watch() as watch:
        ended = lta_run(
            capsys,
            [
                *TINY,
                "data.train_size=256",
                f"+callbacks.watch._target_={__name__}.BetweenEnds",
                f"trust={__name__}.BetweenEnds,{__name__}.Reads",
                *arguments,
                f"hydra.run.dir={directory}/run",
            ],
        )
    assert ended.status == 0, ended.err
    assert watch.steps == 8
    assert watch.operations > 500
    return watch


@pytest.mark.parametrize("model", ["vgg_att3", "vgg", "rn_att2"])
def test_no_number_is_read_in_a_step(model, capsys, tmp_path):
    wider = ["model.width=0.25"] if model == "rn_att2" else []  # torch's backward pass of one channel crashes on some CPUs
    assert watched(capsys, tmp_path, f"model={model}", *wider, "callbacks.telemetry.grad_every=1").read == []


def test_none_is_read_where_masks_teach(capsys, tmp_path):
    assert watched(capsys, tmp_path, "loss.mask=1").read == []


def test_a_number_that_is_read_is_found(capsys, tmp_path):
    read = watched(capsys, tmp_path, f"+callbacks.reads._target_={__name__}.Reads").read
    assert read == ["aten._local_scalar_dense.default"] * 6  # all but that of the first step and the last
