"""Whatever puts a map on a picture puts it where its cells are: air_att3's level C at 32 pixels has them at 4, 12 and 20.

The network's map has all its weight in the middle cell, whose centre is at pixel 12; were the cells spread evenly over the
picture, it would be between pixels 15 and 16.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import queried
import torch
from asked import Stand, data
from torch import nn

from lta.callbacks.attention_maps import AttentionMaps
from lta.data.batches import Split
from lta.evaluators.faithfulness.evaluator import Faithfulness
from lta.evaluators.localisation.evaluator import Localisation
from lta.evaluators.localisation.explanations import explain, place_deepest_stage
from lta.evaluators.query.evaluator import Query
from lta.evaluators.query.pairs import ROLES
from lta.evaluators.query.replaced import _score_objects
from lta.evaluators.robustness.pictures import render_before_and_after
from lta.evaluators.roles.evaluator import measure_roles
from lta.inference.windows import run_at_scales
from lta.measures.pixel_maps import density
from lta.measures.placement import find_placements, place_in_picture
from lta.models.output import NetworkOutput
from lta.models.trunk import StagedTrunk
from lta.protocols import Cells
from lta.viz.colour import overlay, upsample
from lta.viz.difference import difference
from lta.viz.panel import Example, panel

CELLS = {"C": Cells(8, 4)}
PLACE = place_in_picture(CELLS["C"], (32, 32))
OBJECT = (slice(9, 15), slice(9, 15))
"""Inside the middle cell, which is 8 x 8 pixels."""
COUNT = 12


def middle():
    attn = np.zeros((3, 3), np.float32)
    attn[1, 1] = 1
    return attn


class Network:
    levels = ("C",)

    def __init__(self, cells):
        self.cells = cells

    def __call__(self, images):
        maps = torch.from_numpy(middle()).expand(len(images), 3, 3)
        sharp = (images[:, 0, 12, 12] == 0) | (images[:, 0, 12, 12] == 255)
        logits = torch.where(sharp[:, None], torch.tensor([9.0, 0.0]), torch.tensor([0.0, 9.0]))
        return NetworkOutput(logits, (logits,), {"C": maps}, {}, {}, {})


class Looks(Stand):
    """Says "yes" as long as the pixel (12, 12) is sharp."""

    def __init__(self, cells):
        super().__init__(Network(cells), None, image_size=(32, 32))

    def preprocess(self, images):
        return images

    def forward(self, images):
        return self.network(images)


def scenes():
    y, x = np.indices((32, 32))
    images = np.stack([255 * ((y + x + number) % 2) for number in range(COUNT)]).astype(np.uint8)
    roles = np.zeros((COUNT, 32, 32), np.uint8)
    roles[:, *OBJECT] = 2
    return Split(np.repeat(images[..., None], 3, 3), np.zeros(COUNT, np.int64), roles, np.arange(COUNT))


def test_roles():
    def find(cells):
        return measure_roles(Looks(cells), SimpleNamespace(val=scenes(), test=scenes()), 8)["levels"]["C"]["density"]["main"]

    assert find(CELLS)["share"] == pytest.approx(36 / 64)
    assert find(CELLS)["value"] == pytest.approx(9), "uniform attention has a ninth in the cell"
    assert find({})["share"] == pytest.approx((13 / 3) ** 2 / (32 / 3) ** 2), "of the cell that begins at pixel 10.67"


def test_localisation():
    for cells, pointing in ((CELLS, 1), ({}, 0)):
        found = Localisation(explanations=[], examples=2).run(Looks(cells), data(scenes())).figures["maps"]["C"]
        assert found["pointing"]["value"] == pointing


def test_faithfulness():
    """The one pixel that is blurred first is the one that the network reads, or not."""
    for cells, drops in ((CELLS, True), ({}, False)):
        found = Faithfulness(images=None, areas=(1 / 1024,)).run(Looks(cells), data(scenes())).figures["orders"]["C"]
        assert (found["most"][0]["probability"]["value"] < 0.1) == drops


def test_a_picture_seen_at_several_scales():
    picture = torch.zeros(3, 64, 64, dtype=torch.uint8)
    maps = torch.from_numpy(middle())[None]
    for scales in ((1,), (1, 2)):
        found = {
            name: run_at_scales(Looks(cells), picture, scales).maps["C"] for name, cells in (("placed", CELLS), ("", {}))
        }
        assert not torch.equal(found["placed"], found[""])
    whole = run_at_scales(Looks(CELLS), picture).maps["C"]
    torch.testing.assert_close(whole, density(maps, (256, 256), PLACE)[0])
    assert (whole == whole.max()).nonzero()[0].tolist() == [99, 99], "12.5 of 32 is 100 of 256"


def test_pointing_under_a_query():
    roles = torch.zeros(1, 32, 32, dtype=torch.uint8)
    roles[0, 9:11, 9:17] = ROLES["main"]
    roles[0, 16:22, 16:22] = ROLES["side"]
    output = Network(CELLS)(torch.zeros(1, 3, 32, 32))
    placed = _score_objects("own", output, roles, {"C": PLACE})
    spread = _score_objects("own", output, roles, {})
    assert placed["own C pointing main"] == 1
    assert spread["own C pointing side"] == 1


class Unpadded(nn.Module):
    """A trunk of one unpadded convolution whose cells lie at 4, 12 and 20, under a linear classifier."""

    levels = ()

    def __init__(self):
        super().__init__()
        self.trunk = StagedTrunk()
        self.trunk.stages["C"] = nn.Conv2d(3, 2, 9, stride=8)
        self.classifier = nn.Linear(2, 2)

    def forward(self, images):
        logits = self.classifier(self.trunk.features(images).levels["C"].mean((2, 3)))
        return NetworkOutput(logits, (logits,), {}, {}, {}, {})


@pytest.mark.parametrize("name", ["gradcam", "gradcam_pp"])
def test_explanations_by_the_deepest_stage_stay_on_its_cells(name):
    network = Unpadded()
    assert place_deepest_stage(network, (32, 32)) == PLACE
    classifier = Stand(network, None)
    classifier.preprocess = torch.Tensor.float
    found = explain(classifier, scenes().take(np.arange(2)), [name], 2, 2)[name]
    assert found.shape == (2, 3, 3)


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear"])
def test_pictures(upsampling):
    grey, attn = np.full((32, 32, 3), 90, np.uint8), middle()
    shown = upsample(attn, (32, 32), upsampling, PLACE)
    inside = np.argwhere(shown == shown.max())
    expected = ([8, 8], [15, 15]) if upsampling == "nearest" else ([12, 12], [12, 12])
    assert ([*inside[0]], [*inside[-1]]) == expected
    coloured = overlay(grey, attn, upsampling, placement=PLACE)
    assert (coloured[12, 12] != coloured[0, 0]).any()
    assert not np.array_equal(coloured, overlay(grey, attn, upsampling))
    changed = difference(grey, attn, np.zeros_like(attn), PLACE)
    assert (changed[8:16, 8:16] == changed[12, 12]).all()
    assert (changed[16:, 16:] == changed[-1, -1]).all()
    one = Example(grey, {"C": attn}, "yes", "yes", 1.0, placements={"C": PLACE})
    other = panel([one._replace(placements={})], upsampling=upsampling)
    assert not np.array_equal(panel([one], upsampling=upsampling), other)


@pytest.mark.usefixtures("shapes_unchecked")
def test_the_panel_of_a_training_run():
    callback = AttentionMaps(images=2)
    module = SimpleNamespace(network=Network(CELLS))
    splits = SimpleNamespace(choose_examples=lambda count: (scenes(), np.arange(count)))
    callback.setup(SimpleNamespace(datamodule=splits), module, "fit")
    assert callback._placements == find_placements(Network(CELLS), (32, 32)) == {"C": PLACE}


def test_pictures_of_attacks():
    images = scenes().images[:2]
    output = Network(CELLS)(torch.from_numpy(images).permute(0, 3, 1, 2))
    drawn = [
        render_before_and_after(
            images, images.astype(float), (output, output), np.zeros(2, int), ("yes", "no"), 8, placements
        )
        for placements in ({"C": PLACE}, {})
    ]
    assert np.asarray(drawn[0]).shape == np.asarray(drawn[1]).shape
    assert not np.array_equal(*drawn)


def test_everything_about_queries(monkeypatch):
    """Cells of an unpadded 3x3 pool with stride 2 lie at 1, 3 and 5 of 8 pixels: spread evenly, it is another answer."""

    def ask():
        network = queried.network()
        network.trunk.stages["C"] = nn.AvgPool2d(3, 2)
        return Query().run(queried.Asked(network), queried.data(queried.pairs(12), queried.singles(6)))

    placed = ask()
    for module in ("pairs", "pictures", "replaced"):
        monkeypatch.setattr(f"lta.evaluators.query.{module}.find_placements", lambda network, size: {})
        spread = ask()
        pictures = [name for name in placed.pictures if not np.array_equal(placed.pictures[name], spread.pictures[name])]
        changed = {
            "pairs": [],
            "pictures": ["replaced_C", "pairs_C"],
            "replaced": ["pairs_C"],
        }  # whose figures are written there
        assert pictures == changed[module]
        one, other = (result.figures["pairs"]["levels"]["C"]["energy"] for result in (placed, spread))
        assert (one["uniform"] != other["uniform"]) == (module == "pairs"), module
        assert (one["query"] != other["query"]) == (module == "replaced"), module
        monkeypatch.undo()
