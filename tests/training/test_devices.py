"""How many processes, on what: asked for, or said by torchrun, Slurm or the machine."""

import pytest
import torch
from torch import nn

from lta.training import devices
from lta.training.batch_statistics import average_running_statistics


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE", "SLURM_NTASKS_PER_NODE", "SLURM_NNODES"):
        monkeypatch.delenv(name, raising=False)


def test_numbers_and_lists_stand(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert devices.choose_devices(2, "cpu") == 2
    assert devices.choose_devices([0, 2], "gpu") == [0, 2]
    assert devices.choose_nodes(3) == 3


def test_auto_takes_what_the_starter_says(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    assert devices.choose_devices("auto", "gpu") == 8
    assert devices.choose_nodes("auto") == 1
    monkeypatch.setenv("SLURM_NTASKS_PER_NODE", "2")
    monkeypatch.setenv("SLURM_NNODES", "3")
    assert (devices.choose_devices("auto", "gpu"), devices.choose_nodes("auto")) == (2, 3)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "8")
    monkeypatch.setenv("WORLD_SIZE", "16")
    assert (devices.choose_devices("auto", "cpu"), devices.choose_nodes("auto")) == (8, 2)


@pytest.mark.parametrize("asked", [0, -1, True, [], "2", "all", None, 1.5])
def test_other_devices_are_refused(asked):
    with pytest.raises(ValueError, match=r"trainer\.devices="):
        devices.choose_devices(asked, "cpu")


@pytest.mark.parametrize("asked", [0, True, "2", None])
def test_other_nodes_are_refused(asked):
    with pytest.raises(ValueError, match=r"trainer\.num_nodes="):
        devices.choose_nodes(asked)


@pytest.mark.parametrize(
    ("asked", "started", "says"),
    [
        (
            2,
            None,
            r"trainer\.devices=2 needs 2 GPUs, one for each process, and 1 can be used here \(CUDA_VISIBLE_DEVICES=5\)",
        ),
        ([0, 2], None, r"trainer\.devices=\[0, 2\] needs 3 GPUs"),
        ("auto", "2", r"trainer\.devices=auto with LOCAL_WORLD_SIZE=2 needs 2 GPUs"),
    ],
)
def test_two_processes_on_one_gpu_are_refused(asked, started, says, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    if started:
        monkeypatch.setenv("LOCAL_WORLD_SIZE", started)
    with pytest.raises(ValueError, match=says):
        devices.choose_devices(asked, "gpu")


def test_auto_on_the_cpu_needs_a_number():
    with pytest.raises(ValueError, match=r"say how many processes, trainer\.devices=2"):
        devices.choose_devices("auto", "cpu")


@pytest.mark.parametrize(
    ("asked", "accelerator", "processes", "chosen"),
    [
        ("auto", "gpu", 2, True),
        ("auto", "gpu", 1, False),
        ("auto", "cpu", 2, False),
        (True, "gpu", 1, True),
        (False, "gpu", 8, False),
        (False, "cpu", 2, False),
    ],
)
def test_synchronised_batchnorm(asked, accelerator, processes, chosen):
    assert devices.choose_sync_batchnorm(asked, accelerator, processes) is chosen


def test_synchronised_batchnorm_needs_gpus():
    with pytest.raises(ValueError, match=r"trainer\.sync_batchnorm=true needs GPUs"):
        devices.choose_sync_batchnorm(True, "cpu", 2)
    with pytest.raises(ValueError, match=r"trainer\.sync_batchnorm=1 must be auto, true or false"):
        devices.choose_sync_batchnorm(1, "gpu", 2)


def test_running_statistics_are_averaged_in_one_exchange():
    network = nn.Sequential(
        nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.BatchNorm1d(3), nn.BatchNorm2d(2, track_running_stats=False)
    )
    network[1].running_mean.copy_(torch.tensor([1.0, 2.0]))
    network[2].running_var.fill_(3.0)
    exchanged = []

    def mean(vector):  # with a second process whose statistics are all 5
        exchanged.append(len(vector))
        return (vector + 5) / 2

    average_running_statistics(network, mean)
    assert exchanged == [2 + 2 + 3 + 3]
    assert network[1].running_mean.tolist() == [3.0, 3.5]
    assert network[1].running_var.tolist() == [3.0, 3.0]
    assert network[2].running_mean.tolist() == [2.5] * 3
    assert network[2].running_var.tolist() == [4.0] * 3


def test_networks_without_batchnorm_exchange_nothing():
    average_running_statistics(nn.Conv2d(3, 2, 1), lambda vector: pytest.fail("nothing to average"))
