"""The weights that come in a package, shown pictures as lta reads and prepares them."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import composed
from PIL import Image

from lta.data.decoding import fit_to_size, open_rgb
from lta.instantiate import build
from lta.models.backbone_trunk import BackboneTrunk

timm = pytest.importorskip("timm")

SORREL = 339
"""ImageNet's class of brown horses."""

HORSES = Path(os.environ.get("LTA_DATA_ROOT", "data")) / "weizmann_horse/images"


@pytest.fixture(scope="module")
def trunk():
    return BackboneTrunk("tf_efficientnet_lite0", weights="package").eval()


@pytest.fixture(scope="module")
def preprocess():
    return build(composed("model=backbone_att1", "data=image_folder", "data.root=/pictures").preprocess)


def test_the_weights_are_those_of_the_package(trunk):
    assert bytes(trunk.digest.tolist()).hex().startswith("57934424"), "the name of its file says so"


def test_logits_equal_timms_with_the_same_weights(trunk, preprocess):
    """Its own transform of a picture against lta's; the same network, made by timm alone."""
    own = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    own.load_state_dict(trunk.model.state_dict())
    transform = timm.data.create_transform(**timm.data.resolve_data_config({"crop_pct": 1.0}, model=own))
    noise = np.random.default_rng(0).integers(0, 256, (7, 7, 3), np.uint8)
    picture = Image.fromarray(noise).resize((224, 224), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = own(transform(picture)[None])
        found = trunk.classify(preprocess(pixels))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert float(expected.std()) > 0.5


def test_preprocessing_measures_nothing(preprocess):
    before = {name: value.clone() for name, value in preprocess.state_dict().items()}
    preprocess.fit(np.zeros((3, 8, 8, 3), np.uint8))
    assert all(torch.equal(preprocess.state_dict()[name], value) for name, value in before.items())
    assert preprocess(torch.tensor([0.0, 127.5, 255.0]).view(1, 1, 3, 1).expand(1, 3, 3, 1))[0, 0, :, 0].tolist() == [
        -1,
        0,
        1,
    ]


@pytest.mark.slow
@pytest.mark.skipif(not HORSES.is_dir(), reason=f"{HORSES} is not there")
@pytest.mark.parametrize(("side", "expected"), [(128, 58), (224, 108), (320, 115)])
def test_top_1_of_horses(trunk, preprocess, side, expected):
    """Of 164: 35, 66 and 70 %. Another program found 36, 67 and 71 %; at 224 pixels that is 109 or more, which bilinear
    instead of bicubic scaling gives. One picture may tip by rounding."""
    pictures = [np.array(fit_to_size(open_rgb(file, (side, side)), (side, side))) for file in sorted(HORSES.iterdir())]
    assert len(pictures) == 164
    found = []
    with torch.no_grad():
        for part in torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).split(16):
            found += trunk.classify(preprocess(part)).argmax(1).tolist()
    assert abs(found.count(SORREL) - expected) <= 1


def test_cells_lie_where_the_learned_weights_read(trunk):
    """Not where the windows have their middles: an input's gradient is centred there, over pictures and directions."""
    torch.manual_seed(0)
    pixels = torch.arange(320, dtype=torch.float32)
    grey = torch.nn.functional.interpolate(torch.randn(6, 3, 20, 20), (320, 320), mode="bicubic")
    for level, by_windows, place in (("A", 7.0, 20), ("B", 15.0, 10)):
        cells = trunk.cells_in((320, 320))[level]
        images = grey.clone().requires_grad_()
        feature = trunk.compute_levels(images)[level][:, :, place, place]
        (gradient,) = torch.autograd.grad((feature * torch.randn_like(feature)).sum(), images)
        mass = gradient.square().sum(1)
        rows, columns = (((mass.sum(side) * pixels).sum() / mass.sum()).item() for side in (2, 1))
        found = (rows + columns) / 2 - cells.stride * place
        assert abs(found - cells.offset) < abs(found - by_windows) / 2, (level, found, cells)


def test_random_weights_read_where_windows_are():
    cells = BackboneTrunk("tf_efficientnet_lite0", weights="none").cells_in((320, 320))
    assert {level: one.offset for level, one in cells.items()} == {"A": 7, "B": 15, "C": 31, "D": 31}


def test_cells_are_measured_anew_with_the_weights_that_are_loaded(trunk):
    other = BackboneTrunk("tf_efficientnet_lite0", weights="none")
    assert other.cells_in((64, 64))["B"].offset == 15
    other.load_state_dict(trunk.state_dict())
    assert other.cells_in((64, 64)) == trunk.cells_in((64, 64))
    assert other.cells_in((64, 64))["B"].offset == pytest.approx(9.65, abs=0.02)
