"""Files that give what the network gives, and the check of that."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import lta
from lta.export import check, program
from lta.layers.attention import Attention, pool
from lta.layers.compatibility import Parametrised
from lta.models.output import NetworkOutput
from lta.protocols import Cells
from lta.transforms.gcn_zca import GcnZca
from lta.transforms.normalize import Standardize

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.usefixtures("shapes_unchecked")


class Small(nn.Module):
    """A convolution, `pc` and a linear layer, as large parts of the project's networks are."""

    def __init__(self, classes=4):
        super().__init__()
        torch.manual_seed(0)
        self.cells = {"C": Cells(2, 0)}
        self.conv = nn.Conv2d(3, 6, 3, 2, padding=1)
        self.unit = Attention(Parametrised(6))
        nn.init.normal_(self.unit.compat.scorer.weight)
        self.linear = nn.Linear(6, classes)

    def forward(self, images):
        local_feat, attn, scores = self.unit(self.conv(images), None)
        logits = self.linear(pool(local_feat, attn))
        return NetworkOutput(logits, (logits,), {"C": attn}, {"C": scores}, {}, {})


class Loaded(nn.Module):
    """What lta.load gives, as far as it is exported."""

    def __init__(self, network, preprocess=None, size=(9, 7)):
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)
        self.preprocess = preprocess or Standardize()
        self.class_names = ("ant", "bee", "cat", "dog")
        self.hparams = {"image_size": list(size)}
        self.eval()


def noise(*shape, seed=1):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def text_of(path):
    """All that can be read in a file, the members of a zip archive unpacked."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


@pytest.mark.parametrize(
    ("form", "run"),
    [
        pytest.param("onnx", check.load_with_onnxruntime, marks=pytest.mark.slow),
        ("torch_export", check.load_with_torch),
    ],
)
def test_a_file_gives_what_the_network_gives(tmp_path, form, run):
    classifier = Loaded(Small())
    classifier.hparams["taught_by"] = {"labels": True, "masks": 8}
    path = tmp_path / "deep" / ("net" + program.FORMATS[form])
    said = program.export(classifier, form, path, {"run": "here"})
    assert "as many as you like, at any size from 7 x 9" in said[0]
    assert said[1] == "gives logits, probabilities, map_C: float32"
    assert re.fullmatch(r"checked in \w+ on 7 pictures: off by at most \de-0[678] of an output's largest value", said[2]), (
        said
    )
    given = run(path.read_bytes())
    for images in (noise(5, 3, 9, 7), noise(1, 3, 40, 31)):
        output = classifier.network(classifier.preprocess(images))
        found = given(images)
        assert list(found) == ["logits", "probabilities", "map_C"]
        assert {values.dtype for values in found.values()} == {torch.float32}
        assert torch.allclose(found["logits"], output.logits, atol=1e-5)
        assert torch.allclose(found["probabilities"], output.logits.softmax(1), atol=1e-6)
        assert torch.allclose(found["map_C"], output.attn["C"], rtol=1e-4, atol=0)
    assert not any(values.requires_grad for values in found.values())
    assert classifier.network.conv.weight.requires_grad, "the network itself is left as it was"
    content = text_of(path)
    for folder in (ROOT, Path(torch.__file__).parent.parent):
        assert str(folder).encode() not in content, "the file tells of the machine that it was made on"
    about = {"about": ""}
    if form == "onnx":
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert not any(node.metadata_props for node in model.graph.node)
        about = {prop.key: prop.value for prop in model.metadata_props}
        axes = [axis.dim_param or axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim]
        assert axes == ["batch", 3, "height", "width"]
    else:
        loaded = torch.export.load(path, extra_files=about)
        assert all(weights.is_contiguous() for weights in loaded.state_dict.values())
        with pytest.raises(AssertionError, match=r"size\(\)\[2\] >= 9"):
            given(noise(1, 3, 8, 7))
    assert json.loads(about["about"]) == {
        "run": "here",
        "lta": lta.__version__,
        "class_names": ["ant", "bee", "cat", "dog"],
        "labels": "one class",
        "image_size": [9, 7],
        "larger": True,
        "levels": ["C"],
        "taught_by": "labels and 8 masks",
        "cells": {"C": {"stride": 2, "offset": 0}},
    }


def test_a_size_that_the_network_fixes_is_said(tmp_path):
    preprocess = GcnZca(cache="off")
    preprocess.fit(noise(20, 9, 7, 3).numpy())
    said = program.export(Loaded(Small(), preprocess), "torch_export", tmp_path / "net.pt2", {})
    assert said[0].endswith("as many as you like, all of 7 x 9 pixels")
    assert " on 4 pictures: off by at most " in said[2]
    about = {"about": ""}
    run = torch.export.load(tmp_path / "net.pt2", extra_files=about).module()
    assert json.loads(about["about"])["larger"] is False
    assert run(noise(5, 3, 9, 7))["map_C"].shape == (5, 5, 4)
    with pytest.raises(AssertionError):
        run(noise(1, 3, 10, 7))


def test_what_is_not_the_network_is_not_written(tmp_path, monkeypatch):
    path = tmp_path / "net.pt2"
    path.write_bytes(b"an earlier one")
    right = check.load_with_torch

    def wrong(content):
        run = right(content)
        return lambda images: {name: values * (1 + 3e-4) for name, values in run(images).items()}

    monkeypatch.setattr(check, "load_with_torch", wrong)
    with pytest.raises(ValueError, match=r"does not compute .*: logits differs by 0\.0003 .* at most 0\.0001 is allowed"):
        program.export(Loaded(Small()), "torch_export", path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt2"]
    assert path.read_bytes() == b"an earlier one"


def test_differences_are_shares_of_the_largest_value_in_the_picture():
    true = torch.tensor([[1.0, 4.0], [100.0, 50.0]])
    for given, share in (
        (torch.tensor([[1.0, 4.0], [100.0, 51.0]]), 0.01),
        (torch.tensor([[1.0, 5.0], [100.0, 50.0]]), 0.25),
        (true[:, :1], torch.inf),
    ):
        found = check.measure_differences(lambda _, given=given: {"map": given}, lambda _: {"map": true}, [true])
        assert found["map"] == pytest.approx(share)
    broken = true * torch.tensor([1, torch.nan])
    assert np.isnan(check.measure_differences(lambda _: {"map": broken}, lambda _: {"map": true}, [true])["map"])


class Sharp(nn.Module):
    """Around 2e4 float32 has steps of 2e-3, and so has the softmax of such scores."""

    def __init__(self, level):
        super().__init__()
        self.level = level

    def forward(self, images):
        scores = images.mean(1) + self.level
        attn = scores.flatten(1).softmax(1).view_as(scores)
        logits = attn.flatten(1)
        return NetworkOutput(logits, (logits,), {"C": attn}, {"C": scores}, {}, {})


def test_a_network_may_be_off_by_its_own_rounding(monkeypatch):
    batches = list(check.make_images((9, 7), True))
    steps, smooth = (program.Exportable(Standardize(), Sharp(level)) for level in (2e4, 0))
    assert 5 * program.TOLERANCE < check.measure_differences(smooth, steps, batches)["map_C"] < 3e-3
    monkeypatch.setattr(check, "load_with_torch", lambda content: smooth)
    assert "off by at most 0.00" in program._check_file("torch_export", b"", steps, batches)
    monkeypatch.setattr(check, "load_with_torch", lambda content: steps)
    with pytest.raises(ValueError, match=r"logits differs by 0\.00\d+ of its largest value, but at most 0\.0001 is allowed"):
        program._check_file("torch_export", b"", smooth, batches)


class Unknown(Small):
    def forward(self, images):
        output = super().forward(images)
        return output._replace(logits=torch.linalg.svdvals(self.conv(images).flatten(2)))


class Branching(Small):
    def forward(self, images):
        return super().forward(-images if images.sum() > 0 else images)


class Diverged(Small):
    def forward(self, images):
        output = super().forward(images)
        return output._replace(logits=output.logits / 0 * 0)


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        pytest.param(Unknown, r"format=onnx: torch can't write this network: .*_linalg_svd", marks=pytest.mark.slow),
        (Branching, "torch.export can't trace this network: Could not guard on data-dependent expression"),
        (Diverged, "this network gives values that are not finite"),
    ],
)
def test_what_can_not_be_exported_is_one_line(tmp_path, broken, says):
    with pytest.raises(ValueError, match=says) as raised:
        program.export(Loaded(broken()), "onnx", tmp_path / "net.onnx", {})
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_file_of_more_than_two_gibibytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "LARGEST", 100)
    with pytest.raises(ValueError, match="2 GiB, but this network is larger; choose format=torch_export"):
        program.export(Loaded(Small()), "onnx", tmp_path / "net.onnx", {})
