"""What a data module does before the first batch: once a machine, and nothing of CUDA where training stays on the CPU."""

import threading
import time
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from lta.data.base import ImageData
from lta.data.batches import Split


class Prepared(ImageData):
    inside = 0
    most = 0
    times = 0

    def prepare_data(self):
        Prepared.inside += 1
        Prepared.most = max(Prepared.most, Prepared.inside)
        time.sleep(0.2)
        Prepared.inside -= 1
        Prepared.times += 1

    def load(self):
        parts = [Split(np.zeros((count, 8, 8, 3), np.uint8), np.arange(count) % 2) for count in (200, 4, 3)]
        return ("a", "b"), *parts


def test_one_process_of_a_machine_after_another_prepares_the_data():
    """torchrun starts them all at once; file locks keep threads apart as they keep processes."""
    threads = [threading.Thread(target=Prepared().make_ready) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (Prepared.times, Prepared.most) == (4, 1)


def test_what_is_trained_on_is_said(caplog):
    data = Prepared()
    with caplog.at_level("INFO"):
        data.make_ready()
    assert caplog.messages == ["data: 2 classes (a, b); 200 training, 4 validation, 3 test images of 8 x 8"]
    data.val, data.class_names = None, tuple(map(str, range(100)))
    assert data.describe() == (
        "100 classes (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..., 99); 200 training, 0 validation, 3 test images of 8 x 8"
    )
    data.coding = "official"
    assert data.describe().endswith("images of 8 x 8; official")


def attached(processes, device="cpu"):
    data = Prepared()
    strategy = SimpleNamespace(root_device=torch.device(device))
    data.trainer = Mock(spec=pl.Trainer, global_rank=0, world_size=processes, strategy=strategy, overfit_batches=0.0)
    return data


@pytest.mark.parametrize(
    ("processes", "says"), [(4, "test has 3 images for 4 processes"), (5, "val has 4 images for 5 processes")]
)
def test_a_part_that_is_too_small_for_the_processes_is_found_before_training(processes, says):
    data = attached(processes)
    data.batch_size = 20 * processes
    with pytest.raises(ValueError, match=says):
        data.make_ready()


@pytest.mark.parametrize(("device", "pinned"), [("cpu", False), ("cuda:0", True)])
def test_memory_is_pinned_where_training_is_on_a_gpu(monkeypatch, device, pinned):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))  # else the pictures would lie on the GPU
    data = attached(1, device)
    data.setup()
    assert data.train_dataloader().pin_memory is pinned
