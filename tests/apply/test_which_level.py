"""Effects follow a level that is fine enough, and say which; untaught backbones show the length of their features."""

import pytest
import torch
import yaml
from PIL import Image
from sklearn.datasets import load_sample_image
from untrained_run import untrained_run

import lta
from lta.apply.direct import DEFAULTS
from lta.apply.levels import FEWEST, choose_levels, count_cells, find_best_level
from lta.apply.sources import from_backbone, from_classifier
from lta.cli.plugins import CONF
from lta.models.cues import DEEP, move_to_cells
from lta.pictures.read import read_image


@pytest.fixture(scope="module")
def flower(tmp_path_factory):
    file = tmp_path_factory.mktemp("flower") / "flower.png"
    Image.fromarray(load_sample_image("flower.jpg")[::2, ::2]).save(file)
    return file


@pytest.mark.parametrize(
    ("cells", "best"),
    [
        ({"A": 32, "B": 16, "C": 8}, "C"),
        ({"A": 15, "B": 7, "C": 3}, "B"),
        ({"A": 15, "B": FEWEST, "C": FEWEST - 1}, "B"),
        ({"A": 5, "B": 3, "C": 1}, "A"),
        ({}, "C"),
    ],
)
def test_the_deepest_that_is_fine_enough(cells, best):
    assert find_best_level(("A", "B", "C"), cells) == best
    assert choose_levels(None, ("A", "B", "C"), "it", cells) == [best]
    assert choose_levels("C", ("A", "B", "C"), "it", cells) == ["C"], "what is asked for is taken"


def test_nine_cells_are_not_drawn_unless_they_are_asked_for(tmp_path, flower):
    network = lta.load(untrained_run(tmp_path / "run", "model=air_att2", "model.init.scorer=author"))
    output = network(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    assert count_cells(network) == {level: attn.shape[1] for level, attn in output.attn.items()} == {"B": 7, "C": 3}
    mask, said = from_classifier(network, DEFAULTS, "it").attend(read_image(flower))
    assert said[1] == "level B (of 7 x 7 cells; C, the deepest, has 3)"
    for levels, alike in (("B", True), ("C", False)):
        asked, said = from_classifier(network, {**DEFAULTS, "levels": levels}, "it").attend(read_image(flower))
        assert torch.equal(asked, mask) == alike
        assert said[1] == f"level {levels}"
    assert (lta.mask_of(flower, network) == mask.numpy()).all(), "in Python too"


def test_where_nothing_was_taught_it_is_the_length_of_the_features_and_named_so(flower):
    pytest.importorskip("timm")
    from lta.inference.untaught import SIZE, UntaughtClassifier

    assert yaml.safe_load((CONF / "teach.yaml").read_text())["size"] == SIZE
    mask, said = from_backbone(None, torch.device("cpu"), DEFAULTS).attend(read_image(flower))
    assert said == ("feature length, nothing trained (tf_efficientnet_lite0)",)
    assert (lta.mask_of(flower) == mask.numpy()).all(), "in Python too"
    network = UntaughtClassifier()
    images = read_image(flower).rgb[None, :, :192, :192]
    with torch.no_grad():
        (attn,) = network(images).attn.values()
        trunk = network.network.trunk
        length = trunk.compute_levels(network.preprocess(images))[DEEP].norm(dim=1)
        cells = trunk.cells_in((192, 192))
    length = move_to_cells(length, cells[DEEP], cells["B"], (attn.shape[1], attn.shape[2]))
    assert torch.corrcoef(torch.stack([attn.logit().flatten(), length.flatten()]))[0, 1] > 0.9999
