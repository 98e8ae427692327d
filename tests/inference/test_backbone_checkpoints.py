"""Networks on a backbone from checkpoints: nothing is read or downloaded because one says so."""

import hashlib

import pytest
import torch
from safetensors.torch import save_file
from untrained_run import untrained_run

from lta.inference.checkpoint import Checkpoint, build_untrained, check_belongs, load, read_checkpoint, restore_classifier
from lta.models.backbone_registry import build_model
from lta.runtime.given_weights import use_weights
from lta.training.checkpoint_io import add_digest

pytest.importorskip("timm")

PICTURES = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(5)
    file = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    save_file(build_model("resnet18").state_dict(), file)
    return file


def make_run(directory, *overrides):
    model = ("model=backbone_att2", "model.backbone.name=resnet18", "model.init.scorer=author", "~model.width")
    return untrained_run(directory, *model, *overrides, tiny=())


@pytest.fixture(scope="module")
def runs(tmp_path_factory, weights):
    folder = tmp_path_factory.mktemp("runs")
    return {
        save: make_run(folder / save, f"model.backbone.weights={weights}", f"model.backbone.save={save}")
        for save in ("weights", "reference")
    }


def test_weights_lie_in_the_checkpoint(runs, weights, monkeypatch):
    monkeypatch.setattr("lta.models.backbone_trunk.load_file", None)
    found = load(runs["weights"])
    assert bytes(found.network.trunk.digest.tolist()).hex() == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert found.hparams["config"]["model"]["backbone"]["weights"] == str(weights), "where they came from is kept"


def test_weights_left_out_are_read_from_the_file_that_is_given(runs, weights):
    sizes = [(runs[save] / "checkpoints/last.ckpt").stat().st_size for save in ("weights", "reference")]
    assert sizes[0] - sizes[1] > 40e6
    assert not [
        name for name in read_checkpoint(runs["reference"] / "checkpoints/last.ckpt")["state_dict"] if "trunk.model" in name
    ]
    with torch.no_grad():
        expected = load(runs["weights"])(PICTURES).logits
        assert torch.equal(load(runs["reference"], weights=weights)(PICTURES).logits, expected)


def test_weights_left_out_and_not_given(runs, weights):
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    with pytest.raises(ValueError, match=rf"weights of resnet18 \(SHA-256 {digest}\) are left out: give their file"):
        load(runs["reference"])


def test_another_file_is_refused(runs, tmp_path):
    torch.manual_seed(6)
    save_file(build_model("resnet18").state_dict(), tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="is not the file that was asked for"):
        load(runs["reference"], weights=tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="there is no such file"), use_weights(tmp_path / "none.pth"):
        pass


@pytest.mark.parametrize("source", ["hub", "package", "/etc/passwd", "https://example.com/x.pth"])
def test_a_checkpoint_that_was_sent_has_nothing_read_or_downloaded(runs, tmp_path, monkeypatch, source):
    monkeypatch.setattr("lta.models.backbone_trunk.find_weights", lambda name, source: refuse_all_but(source))
    content = torch.load(runs["weights"] / "checkpoints/last.ckpt", weights_only=True)
    content["hyper_parameters"]["config"]["model"]["backbone"]["weights"] = source
    torch.save(add_digest(content), tmp_path / "sent.ckpt")
    with torch.no_grad():
        assert torch.equal(load(tmp_path / "sent.ckpt")(PICTURES).logits, load(runs["weights"])(PICTURES).logits)


def refuse_all_but(source):
    assert source == "checkpoint", f"{source} would be read"


@pytest.mark.parametrize("name", ["hf-hub:someone/theirs", "local-dir:/tmp", "../../x", "resnet18;ls", "Resnet18"])
def test_a_checkpoint_that_was_sent_names_networks_of_the_registry_alone(runs, tmp_path, name):
    content = torch.load(runs["weights"] / "checkpoints/last.ckpt", weights_only=True)
    content["hyper_parameters"]["config"]["model"]["backbone"]["name"] = name
    torch.save(add_digest(content), tmp_path / "sent.ckpt")
    with pytest.raises(ValueError, match="must be a name of timm's registry"):
        load(tmp_path / "sent.ckpt")


def test_a_resumed_run_may_read_its_weights_elsewhere(runs):
    path = runs["weights"] / "checkpoints/last.ckpt"
    content = read_checkpoint(path)
    config = {**content["hyper_parameters"]["config"]}
    model = {**config["model"], "backbone": {**config["model"]["backbone"], "weights": "checkpoint"}}
    names = content["hyper_parameters"]["class_names"]
    check_belongs(Checkpoint(path, content), {**config, "model": model}, names)
    model["backbone"]["train"] = "all"
    with pytest.raises(ValueError, match=r"model\.backbone\.train"):
        check_belongs(Checkpoint(path, content), {**config, "model": model}, names)


def test_an_untrained_network_has_the_pretrained_weights(runs):
    classifier = load(runs["weights"])
    fresh = build_untrained(classifier, seed=3)
    own, other = fresh.network.state_dict(), classifier.network.state_dict()
    assert all(torch.equal(own[name], other[name]) for name in own if name.startswith("trunk"))
    assert not torch.equal(own["head.classifier.weight"], other["head.classifier.weight"])


def test_a_checkpoint_restores_itself(runs):
    path = runs["weights"] / "checkpoints/last.ckpt"
    assert restore_classifier(Checkpoint(path, read_checkpoint(path))).network.trunk.is_random is False


def test_random_weights_are_known_as_such_when_they_are_loaded(tmp_path):
    """Else what they show would stand beside maps as that of a pretrained network."""
    assert load(make_run(tmp_path / "run", "model.backbone.weights=none")).network.trunk.is_random is True
