"""Runs that begin with another one's weights."""

import json
import shutil
from types import SimpleNamespace

import pytest
import torch
from commands import TINY, assert_refused, lta_run, train
from torch import nn

from lta.inference.checkpoint import load
from lta.inference.initialise import init_weights


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    directory = tmp_path_factory.mktemp("before") / "run"
    train(*TINY, "recipe.epochs=2", f"hydra.run.dir={directory}")
    return directory


def weights_of(directory):
    return dict(load(directory).network.named_parameters())


def test_a_run_begins_with_all_weights_of_another(before, tmp_path):
    """With a rate of nearly nothing it ends with them."""
    settings = ("seed=5", "recipe.lr=1e-30", "recipe.weight_decay=0", f"init_from={before}")
    said = train(*TINY, *settings, f"hydra.run.dir={tmp_path}/run")
    count = len(load(before).network.state_dict())
    assert f"init_from: {count} tensors of {before}/checkpoints/last.ckpt, after epoch 2" in said
    one, other = weights_of(before), weights_of(tmp_path / "run")
    for name, weight in one.items():
        torch.testing.assert_close(weight, other[name], rtol=0, atol=1e-12)
    (start,) = json.loads((tmp_path / "run" / "run.json").read_text())["starts"]
    assert start["init_from"] == {
        "path": f"{before}/checkpoints/last.ckpt",
        "epoch": 1,
        "tensors": count,
        "left": [],
    }


def test_a_run_that_goes_on_has_its_own_weights(before, tmp_path):
    run = tmp_path / "run"
    train(*TINY, "recipe.epochs=2", f"init_from={before}", f"hydra.run.dir={run}")
    (run / "results.json").unlink()
    own = weights_of(run)
    assert "init_from:" not in train(f"resume={run}")
    for name, weight in weights_of(run).items():
        assert torch.equal(weight, own[name])


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["model=vgg_att2"], "belongs to another network: "),
        (["model.width=0.125"], "belongs to another network: "),
        (["compat=dp"], "belongs to another network: "),
    ],
)
def test_another_network_is_refused_before_anything_is_written(before, tmp_path, capsys, settings, says):
    ended = lta_run(capsys, [*TINY, *settings, f"init_from={before}", f"hydra.run.dir={tmp_path}/run"])
    assert_refused(ended, says)
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_a_run_stopped_before_its_first_checkpoint_takes_the_weights_again(before, tmp_path):
    run = tmp_path / "run"
    train(*TINY, "recipe.epochs=2", f"init_from={before}", f"hydra.run.dir={run}")
    (run / "results.json").unlink()
    (run / "metrics.csv").unlink()
    shutil.rmtree(run / "checkpoints")
    assert f"init_from: {len(load(before).network.state_dict())} tensors" in train(f"resume={run}")


@pytest.mark.parametrize("given", ["nowhere", ""])
def test_a_place_without_weights_is_said_before_data_are_read(tmp_path, monkeypatch, capsys, given):
    monkeypatch.chdir(tmp_path)
    settings = ["data=image_folder", f"data.root={tmp_path}/no_data", f"init_from={given}", "hydra.run.dir=run"]
    ended = lta_run(capsys, settings)
    assert_refused(ended, f"init_from={given}: there is no such run directory or checkpoint file")


class Named(nn.Module):
    """A network of two layers, the last of which puts out the classes."""

    def __init__(self, classes):
        super().__init__()
        self.body, self.top = nn.Linear(3, 3), nn.Linear(3, classes)

    @property
    def classifiers(self):
        return (self.top,)


@pytest.mark.usefixtures("shapes_unchecked")
@pytest.mark.parametrize(
    ("names", "left"),
    [(["a", "b"], []), (["a", "c"], ["top.weight", "top.bias"]), (["a", "b", "c"], ["top.weight", "top.bias"])],
)
def test_with_other_classes_the_layers_that_put_them_out_begin_anew(tmp_path, monkeypatch, names, left):
    theirs, own = Named(2), Named(len(names))
    state = {f"network.{name}": tensor for name, tensor in theirs.state_dict().items()} | {"preprocess.mean": torch.ones(3)}
    content = {"state_dict": state, "epoch": 3, "hyper_parameters": {"class_names": ["a", "b"]}}
    monkeypatch.setattr("lta.inference.initialise.read_checkpoint", lambda path: content)
    began = {name: tensor.clone() for name, tensor in own.state_dict().items()}
    taken = init_weights(SimpleNamespace(network=own, class_names=tuple(names)), tmp_path / "last.ckpt")
    assert taken.left == left
    assert taken.tensors == 4 - len(left)
    for name, tensor in own.state_dict().items():
        assert torch.equal(tensor, (began if name in left else theirs.state_dict())[name]), name
