"""Nothing in a training step waits for the GPU: torch raises where Python would have to."""

import importlib.util

import pytest
import pytorch_lightning as pl
import torch
from commands import lta_run
from on_device import DEVICE, SMALL, needs_cuda

pytestmark = pytest.mark.gpu


class NoWaiting(pl.Callback):
    """From the end of an epoch's first step to the end of its last but one: whole steps with all callbacks and loops. First
    steps may wait: metrics are made on the device, kernels chosen."""

    steps = 0

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index):
        type(self).steps += 1
        if DEVICE.type == "cuda":
            strict = batch_index < trainer.num_training_batches - 2
            torch.cuda.set_sync_debug_mode("error" if strict else "default")


class Reads(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_index):
        outputs["loss"].item()


def watched(capsys, directory, *arguments):
    """The run's end, every step of two epochs with telemetry, augmentation, optimiser and schedule."""
    NoWaiting.steps = 0
    options = [
        *SMALL,
        "data.train_size=256",
        "recipe.epochs=2",
        "callbacks.telemetry.grad_every=1",
        f"+callbacks.watch._target_={__name__}.NoWaiting",
        f"trust={__name__}.NoWaiting,{__name__}.Reads",
        *arguments,
        f"hydra.run.dir={directory}/run",
    ]
    return lta_run(capsys, options)


@pytest.mark.parametrize(
    "arguments",
    [
        ("model=vgg_att3",),
        ("model=vgg_att3", "trainer.precision=32-true"),
        ("model=vgg_att3", "recipe=muon"),
        ("model=air_att3", "recipe=air", "data.batch_size=32", "model.width=0.25"),
        ("model=vgg_att2", "compat=dp", "recipe=author", "recipe.epochs=2", "data.batch_size=32"),
        ("model=vgg_att3", "augment=mixup"),
        ("model=vgg_att3", "augment=rand_augment"),
        ("model=vgg_att3", "loss.mask=1"),
        ("model=vgg_att3", "loss.class_weights=balanced", "loss.focal=2"),
        pytest.param(
            ("model=backbone_att1", "model.backbone.name=resnet18", "model.backbone.weights=none", "~model.width"),
            marks=pytest.mark.skipif(importlib.util.find_spec("timm") is None, reason="timm is not installed"),
        ),
    ],
    ids=" ".join,
)
def test_no_step_waits(arguments, capsys, tmp_path):
    ended = watched(capsys, tmp_path, *arguments)
    assert ended.status == 0, ended.err
    assert NoWaiting.steps == 16


@needs_cuda
def test_a_step_that_waits_is_found(capsys, tmp_path):
    with pytest.raises(RuntimeError, match="synchronizing CUDA operation"):
        watched(capsys, tmp_path, f"+callbacks.reads._target_={__name__}.Reads")
