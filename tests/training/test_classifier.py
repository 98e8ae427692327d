"""Metrics, seeding and the trainer's choices."""

import logging
import math
from unittest.mock import Mock

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.trainer.states import TrainerFn

from lta.models.output import NetworkOutput
from lta.training import trainer as trainer_module
from lta.training.classifier import Classifier, _mix
from lta.training.losses import CrossEntropy
from lta.training.metrics import ErrorRate, MeanLoss
from lta.training.recipes import Recipe
from lta.training.shared_directory import SharedDirectory
from lta.training.trainer import bfloat16_is_faster, build_trainer


def test_error_rate_is_percent_over_batches_of_unequal_size():
    error = ErrorRate()
    error.update(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 1, 1]))
    error.update(torch.tensor([[1.0, 0.0]]), torch.tensor([1]))
    assert error.compute().item() == 50.0


def test_top5():
    error = ErrorRate(top=5)
    error.update(torch.arange(6.0).expand(6, 6), torch.arange(6))
    assert error.compute().item() == pytest.approx(100 / 6)


def test_mean_loss_weighs_batches_by_their_images_and_hides_nothing():
    loss = MeanLoss()
    loss.update(torch.tensor(1.0), 3)
    loss.update(torch.tensor(5.0), 1)
    assert loss.compute().item() == 2.0
    loss.update(torch.tensor(float("nan")), 1)
    assert loss.compute().isnan()


def test_seeds_of_epochs_and_ranks_differ():
    seeds = {_mix(seed, epoch, rank) for seed in range(5) for epoch in range(50) for rank in range(8)}
    assert len(seeds) == 5 * 50 * 8
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize(
    ("features", "native"),
    [
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": True}, False),
        ({"avx512_f": True}, False),
        ({}, False),
    ],
)
def test_bfloat16_only_where_it_is_faster(monkeypatch, features, native):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features, raising=False)
    assert bfloat16_is_faster("cpu") is native


@pytest.mark.parametrize(
    ("devices", "native"),
    [
        (1, True),
        (2, False),
        ([0], True),
        ([1], False),
        ([0, 2], True),
        ([2, 1], False),
        (3, False),
        ([0, 7], True),
    ],
)
def test_bfloat16_only_where_all_chosen_gpus_have_it(monkeypatch, devices, native):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: [(8, 0), (7, 5), (9, 0)][index])
    assert bfloat16_is_faster("gpu", devices) is native


def test_one_gpu_if_there_is_one_and_never_silently_all(monkeypatch, caplog):
    given = {}
    real = trainer_module.pl.Trainer

    def spy(**options):
        given.update(options)
        return Mock(spec=real, world_size=1)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: [(8, 0), (7, 5)][index])
    monkeypatch.setattr(trainer_module.pl, "Trainer", spy)
    with caplog.at_level(logging.INFO):
        build_trainer(epochs=3, directory=".")
    assert (given["accelerator"], given["devices"], given["precision"]) == ("gpu", 1, "bf16-mixed")
    assert "device: gpu x 1, precision bf16-mixed" in caplog.text
    assert any(isinstance(callback, SharedDirectory) for callback in given["callbacks"])
    build_trainer(epochs=3, directory=".", devices=[1])
    assert given["precision"] == "32-true", "the other emulates bfloat16"
    build_trainer(epochs=3, directory=".", benchmark=True)
    assert given["benchmark"] is True
    with caplog.at_level(logging.INFO):
        build_trainer(epochs=3, directory=".", benchmark=True, deterministic=True)
    assert (given["deterministic"], given["benchmark"]) == (True, False), "kernels chosen by speed differ by run"
    assert "trainer.benchmark is off" in caplog.text


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        (
            {
                "TORCHELASTIC_RUN_ID": "x",
                "RANK": "0",
                "LOCAL_RANK": "0",
                "WORLD_SIZE": "2",
                "LOCAL_WORLD_SIZE": "2",
                "GROUP_RANK": "0",
            },
            "ask for 1 process, but torchrun starts 2",
        ),
        (
            {
                "SLURM_NTASKS": "2",
                "SLURM_STEP_ID": "0",
                "SLURM_PROCID": "0",
                "SLURM_LOCALID": "0",
                "SLURM_NODEID": "0",
                "SLURM_JOB_NAME": "lta",
                "SLURM_NTASKS_PER_NODE": "2",
            },
            "ask for 1 process, but srun starts 2",
        ),
    ],
)
def test_a_trainer_for_one_device_is_refused_where_several_processes_are_started(monkeypatch, environment, says):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=says):
        build_trainer(epochs=1, directory=".", accelerator="cpu")


def test_a_job_without_srun_has_one_process(monkeypatch):
    for name in ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"):
        monkeypatch.setenv(name, "0")
    for name, value in (("SLURM_NTASKS", "1"), ("SLURM_JOB_NAME", "lta"), ("SLURM_NTASKS_PER_NODE", "2")):
        monkeypatch.setenv(name, value)
    for tasks in ("1", "2"):
        monkeypatch.setenv("SLURM_NTASKS", tasks)
        with pytest.raises(ValueError, match=r"ask for 2 processes, .* put srun before the command"):
            build_trainer(epochs=1, directory=".", accelerator="cpu", devices=2, strategy="ddp")
    assert build_trainer(epochs=1, directory=".", accelerator="cpu").world_size == 1, "one device needs no srun"
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE")
    with pytest.raises(ValueError, match=r"^Slurm: .*--ntasks-per-node=2"):
        build_trainer(epochs=1, directory=".", accelerator="cpu")


def test_a_gpu_that_is_not_there_is_named():
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ValueError, match=r"trainer\.accelerator=gpu: this machine has none"):
        build_trainer(epochs=1, directory=".", accelerator="gpu")


def test_processes_agree_on_running_statistics_before_they_validate_and_at_the_epochs_end():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(2))
    network.levels, network.classifiers = (), ()
    recipe = Mock(spec=Recipe, average_gradients=False)
    identity = torch.nn.Identity()
    classifier = Classifier(network, identity, identity, recipe, CrossEntropy(), class_names=("a", "b"))
    trainer = Mock(spec=pl.Trainer, world_size=2, state=Mock(fn=TrainerFn.FITTING))
    trainer.strategy.reduce = lambda vector, reduce_op: (vector + 5) / 2  # the other one's are all 5
    classifier._trainer = trainer
    classifier.log_dict = lambda *args, **options: None
    classifier.on_validation_start()
    assert network[0].running_mean.tolist() == [2.5, 2.5]
    assert network[0].running_var.tolist() == [3.0, 3.0]
    classifier.train_loss.update(torch.tensor(1.0), 2), classifier.train_error.update(torch.eye(2), torch.tensor([0, 1]))
    classifier.on_train_epoch_end()  # where no validation has come before
    assert network[0].running_mean.tolist() == [3.75, 3.75]
    trainer.state.fn = TrainerFn.VALIDATING
    classifier.on_validation_start()
    assert network[0].running_mean.tolist() == [3.75, 3.75], "a finished network stays as it is"


class FirstValues(torch.nn.Module):
    """Logits are two of a picture's values."""

    levels, classifiers = (), ()

    def forward(self, images):
        logits = images[:, :2, 0, 0]
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})


class Floats(torch.nn.Module):
    def forward(self, images):
        return images.float()


class Blacked(torch.nn.Module):
    """An augmentation that can't be missed, and remembers which epochs it was told of."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, images):
        return 0 * images

    def set_epoch(self, epoch, seed):
        self.told.append((epoch, seed))


def made_classifier(seed=0):
    recipe = Mock(spec=Recipe, average_gradients=False)
    recipe.forgets_momentum.return_value = False
    parts = (FirstValues(), Floats(), Blacked(), recipe, CrossEntropy())
    return Classifier(*parts, class_names=("a", "b"), seed=seed)


def test_only_training_sees_augmented_pictures(monkeypatch):
    classifier = made_classifier()
    monkeypatch.setattr(classifier, "_select_metrics", lambda: [classifier.val_metrics])
    images = torch.randint(1, 256, (4, 3, 5, 5), dtype=torch.uint8)
    batch = (images, torch.tensor([0, 1, 0, 1]), torch.arange(4))
    for mode in (classifier.train, classifier.eval):
        mode()
        for output in (classifier.validation_step(batch, 0), classifier.test_step(batch, 0), classifier(images)):
            assert torch.equal(output.logits, images[:, :2, 0, 0].float())
    assert classifier.training_step(batch, 0).item() == pytest.approx(math.log(2)), "of black pictures"


def test_dropout_and_augmentation_are_drawn_by_seed_epoch_and_process():
    def draw(seed, epoch, rank):
        classifier = made_classifier(seed)
        classifier._trainer = Mock(spec=pl.Trainer, current_epoch=epoch, global_rank=rank)
        classifier.on_train_epoch_start()
        assert classifier.augment.told == [(epoch, seed)]
        return torch.rand(1).item()

    places = [(0, 0, 0), (0, 1, 0), (0, 2, 0), (1, 0, 0), (0, 0, 1)]
    drawn = [draw(*place) for place in places]
    assert len(set(drawn)) == len(places)
    assert [draw(*place) for place in places] == drawn


def test_several_processes_exchange_no_buffers_at_each_step():
    strategy = build_trainer(epochs=1, directory=".", accelerator="cpu", devices=2, strategy="ddp").strategy
    assert list(strategy._ddp_kwargs.items() & {("forward_sync_buffers", False), ("broadcast_buffers", False)})
