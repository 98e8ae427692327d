"""torchvision's segmentation as the source of attention, with weights that nobody has trained."""

import urllib.error

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torchvision.models import get_model, get_model_weights

from lta.apply.segmentation import from_segmentation
from lta.effects.attention_mask import fit_mask_to_image
from lta.pictures.read import read_image

LRASPP = "lraspp_mobilenet_v3_large"
ASKED = {"levels": None, "query": None, "edges": 0.0, "feather": 0.0, "invert": False}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "torch/hub/checkpoints").mkdir(parents=True)
    return tmp_path / "torch/hub/checkpoints"


@pytest.fixture
def flower(tmp_path):
    Image.fromarray(load_sample_image("flower.jpg")[::2, ::2]).save(tmp_path / "flower.png")
    return read_image(tmp_path / "flower.png")


def source(name="person", segmenter=LRASPP, **asked):
    return from_segmentation(name, segmenter, torch.device("cpu"), ASKED | asked).attend


def test_the_mask_is_how_likely_torchvision_finds_each_pixel_of_the_class(home, flower):
    weights = get_model_weights(LRASPP).DEFAULT
    torch.manual_seed(0)
    network = get_model(LRASPP, weights=None, weights_backbone=None).eval()
    for parameter in (network.classifier.low_classifier.weight, network.classifier.high_classifier.weight):
        parameter.data *= 1000  # so that classes differ between places
    torch.save(network.state_dict(), home / weights.url.rsplit("/", 1)[1])
    with torch.inference_mode():
        seen = weights.transforms()(flower.rgb)[None]
        likely = network(seen)["out"][0].softmax(0)
    position = int(likely[1:].flatten(1).std(1).argmax()) + 1
    name = weights.meta["categories"][position]
    found = source(name)(flower)
    expected = fit_mask_to_image(likely[position], flower.rgb, 0)
    assert expected.std() > 0.01
    torch.testing.assert_close(found.mask, expected)
    torch.testing.assert_close(source(name, invert=True)(flower).mask, 1 - found.mask)
    share = (likely[position] > 0.5).float().mean()
    none = f"no {name} was found in it: nothing counts as attended"
    assert found.said[0] == (f"{100 * share:.0f} % of it is {name}" if share else none)


def test_without_a_network_or_with_a_spoilt_file_one_line_says_what_to_do(home, flower, monkeypatch):
    def offline(*_, **__):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(torch.hub, "urlopen", offline)
    with pytest.raises(
        ValueError, match=r"needs its weights \(12 MB\), but https.*pth can't be reached \(no route to host\): "
    ):
        source()
    (home / get_model_weights(LRASPP).DEFAULT.url.rsplit("/", 1)[1]).write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"segmenter=lraspp.*: lraspp.*pth in .* is incomplete: remove it"):
        source()


@pytest.mark.parametrize(
    ("name", "segmenter", "asked", "said"),
    [
        ("tower", LRASPP, {}, "segmentation=tower is unknown; choose one of aeroplane, "),
        ("__background__", LRASPP, {}, "segmentation=__background__ is unknown"),
        ("person", "resnet50", {}, "segmenter=resnet50 is unknown; choose one of deeplabv3_mobilenet"),
        (
            "person",
            LRASPP,
            {"query": "dog"},
            "attention.query=dog needs a network with attention .*, but segmentation=person is not one",
        ),
    ],
)
def test_what_it_has_not_is_refused(name, segmenter, asked, said):
    with pytest.raises(ValueError, match=said):
        source(name, segmenter, **asked)
