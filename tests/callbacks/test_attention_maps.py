import json
import os
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import processes
import pytest
import pytorch_lightning as pl
import torch
from attention_run import TinyClassifier, TinyData, fit
from commands import environment
from networks import network
from PIL import Image
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from torch import nn

from lta.callbacks.attention_maps import AttentionMaps
from lta.callbacks.epoch_log import EpochLog
from lta.callbacks.epoch_send import EpochSend
from lta.callbacks.telemetry import AttentionTelemetry
from lta.layers.compatibility import DotProduct
from lta.measures.map_statistics import total_variation
from lta.models.vgg_family import vgg, vgg_attention

CHANGES = [f"attention/{level}/change" for level in "ABC"]


class Recorder(pl.Callback):
    """Copies what AttentionMaps keeps, after every epoch."""

    def __init__(self, maps: AttentionMaps):
        self.maps, self.states, self.modes = maps, [], []

    def on_train_epoch_end(self, trainer, pl_module):
        self.states.append(dict(self.maps.state_dict()))
        self.modes.append([module.training for module in pl_module.modules()])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Four epochs with a panel in every second and the last: (directory, module, recorder, loggers)."""
    directory = tmp_path_factory.mktemp("run")
    maps = AttentionMaps(images=6, every_n_epochs=2, directory=directory / "here")
    recorder = Recorder(maps)
    wandb, tensorboard = WandbLogger(experiment=MagicMock()), TensorBoardLogger(directory)
    tensorboard._experiment = MagicMock()
    save = ModelCheckpoint(directory, "{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
    module = fit(
        directory,
        maps,
        recorder,
        EpochLog(),
        save,
        EpochSend(),
        epochs=4,
        logger=[wandb, tensorboard],
        enable_checkpointing=True,
        log_every_n_steps=1,
    )
    return directory, module, recorder, (wandb, tensorboard)


def test_writes_a_picture_for_every_second_epoch_and_the_last(run):
    folder = run[0] / "here" / "attention"
    assert sorted(os.listdir(folder)) == ["epoch_0000.png", "epoch_0002.png", "epoch_0003.png"]  # nothing unfinished
    with Image.open(folder / "epoch_0003.png") as image:
        assert min(image.size) > 300


def test_shows_the_strips_to_wandb_in_the_epochs_row(run):
    wandb, _ = run[3]
    calls = [call for call in wandb.experiment.log.call_args_list if "attention/panel" in call.args[0]]
    assert [call.args[0]["epoch"] for call in calls] == [0, 2, 3]
    assert all("time/seconds" in call.args[0] for call in calls), "in the row of the epoch's metrics"
    assert [len(call.args[0]["attention/panel"]) for call in calls] == [6, 6, 6]
    assert calls[0].args[0]["attention/panel"][0]._caption.startswith("ant: predicted ")


def test_shows_the_panel_to_tensorboard(run):
    _, tensorboard = run[3]
    calls = tensorboard.experiment.add_image.call_args_list
    assert [call.kwargs["global_step"] for call in calls] == [0, 2, 3]
    assert all(call.args[0] == "attention/panel" and call.kwargs["dataformats"] == "HWC" for call in calls)
    assert calls[0].args[1].dtype == np.uint8


def test_maps_are_the_networks_in_evaluation_mode(run):
    _, module, recorder, _ = run
    split = TinyData().load()[2]
    images = torch.from_numpy(split.images[recorder.states[-1]["index"].numpy()]).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = module.eval()(images).attn
    for level, attn in recorder.states[-1]["maps"].items():
        torch.testing.assert_close(attn, expected[level])


def test_logs_the_change_since_the_panel_before(run):
    _, module, recorder, _ = run
    before, after = recorder.states[2]["maps"], recorder.states[3]["maps"]
    for level, key in zip("ABC", CHANGES, strict=True):
        assert key not in module.rows[0]
        assert key in module.rows[2]
        assert module.rows[3][key] == pytest.approx(total_variation(after[level], before[level]).mean().item(), rel=1e-5)
        assert 0 < module.rows[3][key] < 1


def test_a_resumed_run_logs_what_an_undisturbed_one_does(run, tmp_path):
    checkpoint = run[0] / "epoch=2.ckpt"
    torch.load(checkpoint, weights_only=True)
    module = fit(tmp_path, AttentionMaps(images=6, every_n_epochs=2), epochs=4, resume=checkpoint)
    assert {key: module.rows[-1][key] for key in CHANGES} == pytest.approx({key: run[1].rows[3][key] for key in CHANGES})
    assert os.listdir(tmp_path / "attention") == ["epoch_0003.png"]


def test_another_panel_is_not_compared_with(run, tmp_path):
    module = fit(tmp_path, AttentionMaps(images=5), epochs=4, resume=run[0] / "epoch=2.ckpt")
    assert not set(CHANGES) & set(module.rows[-1])


class Noisy(nn.Module):
    """Draws random numbers in evaluation mode too."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.inner = vgg_attention(4, ("C",), DotProduct, width=1 / 32)

    def forward(self, images):
        return self.inner(images + torch.rand_like(images))


def test_draws_training_pictures_where_there_is_no_validation_and_disturbs_nothing(tmp_path):
    maps = AttentionMaps(images=3, upsampling="bilinear")
    recorder = Recorder(maps)
    drawn = fit(tmp_path, maps, recorder, data=TinyData(val=None), module=TinyClassifier(Noisy()))
    plain = fit(tmp_path, data=TinyData(val=None), module=TinyClassifier(Noisy()))
    assert sorted(os.listdir(tmp_path / "attention")) == ["epoch_0000.png", "epoch_0001.png"]
    assert "attention/C/change" in drawn.rows[1]
    assert all(all(modes) for modes in recorder.modes)
    for (name, with_panel), without in zip(drawn.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(with_panel, without), name  # weights and batch statistics
    assert all(map(torch.equal, drawn.random_states, plain.random_states))


def test_networks_without_maps_show_pictures_and_predictions(tmp_path):
    module = fit(tmp_path, AttentionMaps(images=99), module=TinyClassifier(vgg(4, width=1 / 32)), epochs=1)
    assert os.listdir(tmp_path / "attention") == ["epoch_0000.png"]
    assert not any(key.startswith("attention") for key in module.rows[0])


def test_a_pretrained_vit_shows_its_own_attention_beside(tmp_path):
    pytest.importorskip("timm")
    name = ("model.backbone.name=vit_tiny_patch16_224", "model.backbone.weights=none")
    built = network("model=backbone_att1", *name, num_classes=4)
    module = TinyClassifier(built)
    module.preprocess = lambda images: (images - 127.5) / 64
    maps = AttentionMaps(images=2)
    fit(tmp_path, maps, module=module, epochs=1)
    assert list(maps._panel.examples[0].maps) == ["B"], "random weights show nothing"
    built.trunk.is_random = False
    fit(tmp_path, maps, module=module, epochs=1)
    drawn = maps._panel.examples[0]
    assert list(drawn.maps) == list(drawn.placements) == ["B", "class token"]
    pixels = torch.from_numpy(drawn.image).permute(2, 0, 1)[None]
    expected = built.trunk.eval().compute_attention(module.preprocess(pixels))[1]["class_token"][0]
    torch.testing.assert_close(torch.from_numpy(drawn.maps["class token"]), expected.detach())
    assert list(maps.state_dict()["maps"]) == ["B"], "what is not learned does not change"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": 0}, "callbacks.attention_maps.images=0 must be a whole number, at least 1"),
        ({"every_n_epochs": -1}, "callbacks.attention_maps.every_n_epochs=-1 must be a whole number, at least 1"),
        (
            {"upsampling": "cubic"},
            "callbacks.attention_maps.upsampling=cubic is unknown; choose one of nearest, bilinear",
        ),
    ],
)
def test_what_a_user_can_get_wrong(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        AttentionMaps(**arguments)


@pytest.mark.slow
def test_an_offline_wandb_run_holds_pictures_and_metrics_in_one_row(tmp_path):
    import wandb

    logger = WandbLogger(save_dir=tmp_path, project="test", mode="offline", settings=wandb.Settings(silent=True))
    try:
        callbacks = [AttentionMaps(images=3), EpochLog(), EpochSend()]
        fit(tmp_path, *callbacks, epochs=2, logger=logger, log_every_n_steps=1, enable_checkpointing=True)
    finally:
        wandb.finish()
    (run_directory,) = (tmp_path / "wandb").glob("offline-run-*")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", run_directory]
    records = [json.loads(line) for line in processes.run(command, check=True).stdout.splitlines()]
    rows = [record["history"]["item"] for record in records if record["type"] == "history"]
    assert [(row["epoch"], row["time/images"], row["attention/panel.count"]) for row in rows] == [(0, 16, 3), (1, 32, 3)]
    assert len(list(run_directory.glob("files/media/images/attention/panel_*.png"))) == 6


@pytest.mark.slow
def test_two_processes_log_what_one_does(tmp_path):
    """Five pictures and seven validation images: neither divides by two. Telemetry as well."""
    alone = fit(
        tmp_path / "one",
        AttentionMaps(images=5),
        AttentionTelemetry(grad_every=1),
        module=TinyClassifier(frozen_norm=True),
    )
    (tmp_path / "two").mkdir()
    script = Path(__file__).with_name("attention_run.py")
    processes.run([sys.executable, script, "2", tmp_path / "two"], check=True, timeout=240, env=environment())
    reports = [json.loads((tmp_path / "two" / f"metrics_{rank}.json").read_text()) for rank in range(2)]
    assert [report["written"] for report in reports] == [[0, 1], []]  # only the first process writes
    assert sorted(os.listdir(tmp_path / "two" / "attention")) == ["epoch_0000.png", "epoch_0001.png"]
    assert reports[0]["rows"] == reports[1]["rows"]
    for here, there in zip(alone.rows, reports[0]["rows"], strict=True):
        assert here == pytest.approx(there, rel=2e-5, abs=1e-6)
    for name in ("epoch_0000.png", "epoch_0001.png"):
        one, two = (np.asarray(Image.open(tmp_path / place / "attention" / name), int) for place in ("one", "two"))
        assert np.abs(one - two).max() <= 3  # a colour's step, where rounding crosses one
