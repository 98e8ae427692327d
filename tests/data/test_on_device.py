"""Pictures that lie on the GPU that trains: which, and that the batches are the same. (The CPU stands for it here.)"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lta.data.base import LARGEST_ON_GPU
from lta.data.batches import DeviceDataset, EpochBatches, Split, batch_loader
from lta.data.digit_scenes import DigitScenes

CPU = torch.device("cpu")


@pytest.fixture
def split(tmp_path):
    rng = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", rng.integers(0, 256, (50, 8, 8, 3), np.uint8))
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    return Split(images, rng.integers(0, 10, 50)).view(np.arange(7, 47))


@pytest.mark.filterwarnings("error")  # what lies in a file is not to be written to
def test_batches_gathered_on_the_device_are_the_same(split):
    ways = []
    for source in (split, DeviceDataset(split, CPU)):
        order = EpochBatches(40, 12, shuffle=True, seed=3)
        order.set_epoch(2)
        ways.append(list(batch_loader(source, order)))
    assert len(ways[0]) == 3
    for one, other in zip(*ways, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
        assert other[0].dtype == torch.uint8
        assert other[0].stride() == one[0].stride()  # channels last


class OnGPU(DigitScenes):
    """A trainer with a GPU of so much free memory; nothing is moved to it."""

    def __init__(self, **settings):
        super().__init__(train_size=20, val_size=10, test_size=10, batch_size=4, **settings)
        self.trainer = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cuda", 1)))
        self.setup()


def test_small_pictures_go_to_the_gpu_that_trains(monkeypatch):
    asked = []
    free = 1 << 40
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: asked.append(device) or (free, free))
    data = OnGPU()
    assert data._choose_device(data.train) == asked[0] == torch.device("cuda", 1)
    large = data.train._replace(images=np.broadcast_to(np.uint8(0), (LARGEST_ON_GPU // 3072 + 1, 32, 32, 3)))
    assert data._choose_device(large) is None
    assert data._choose_device(data.train.take(np.arange(5))._replace(roles=None, masks=None).scale((64, 64))) is None
    free = 10 * 20 * 32 * 32 * 3 - 1
    assert data._choose_device(data.train) is None
    data.trainer.strategy.root_device = CPU
    assert data._choose_device(data.train) is None


def test_they_are_moved_once(monkeypatch):
    data = OnGPU()
    data.trainer.world_size, data.trainer.global_rank, data.trainer.overfit_batches = 1, 0, 0
    monkeypatch.setattr(data, "_choose_device", lambda split: CPU)
    first, second = data.train_dataloader(), data.train_dataloader()
    assert isinstance(first.dataset, DeviceDataset)
    assert second.dataset is first.dataset
    assert not first.pin_memory
    assert [len(loader.dataset) for loader in data.val_dataloader()] == [10]
    assert next(iter(first))[0].shape == (4, 3, 32, 32)
