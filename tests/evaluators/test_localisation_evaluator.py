"""Localisation of networks whose maps are known."""

import json
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from networks import network
from omegaconf import OmegaConf

from lta.cli.plugins import CONF
from lta.data.batches import Split
from lta.data.digit_scenes import DigitScenes
from lta.evaluate.answers import to_plain
from lta.evaluators.localisation import evaluator
from lta.evaluators.localisation.evaluator import Localisation, choose_explained_images
from lta.measures.boxes import fill_boxes
from lta.measures.localisation import halves
from lta.models.output import NetworkOutput
from lta.transforms.normalize import Standardize


class Stub(torch.nn.Module):
    """Reads its maps off the picture: "A" is the first channel, "B" is uniform on a coarse grid, "C" the third channel."""

    class_names = ("one", "two")
    hparams: ClassVar = {}

    def __init__(self, levels=("A", "B", "C")):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self.network = SimpleNamespace(levels=levels, attention=())

    def forward(self, images):
        every = {"A": images[:, 0].float(), "B": torch.full((len(images), 4, 4), 1 / 16), "C": images[:, 2].float()}
        logits = torch.zeros(len(images), 2)
        return NetworkOutput(logits, (logits,), {level: every[level] for level in self.network.levels}, {}, {}, {})


def made_data(count=300, size=16, right=0.7, **changed):
    """Objects of 3 x 5 pixels at places that are uniform on a torus, so that no place is better than another. The third
    channel shows the object with probability `right`, else all but the object."""
    rng = np.random.default_rng(0)
    roles = np.zeros((count, size, size), np.uint8)
    roles[:, :3, :5] = 2
    for number, shift in enumerate(rng.integers(0, size, (count, 2))):
        roles[number] = np.roll(roles[number], tuple(shift), (0, 1))
    shown = np.where((rng.random(count) < right)[:, None, None], roles == 2, roles != 2)
    images = np.stack([roles == 2, np.zeros_like(roles), shown], axis=3).astype(np.uint8)
    split = Split(images, np.zeros(count, np.int64), roles)._replace(**changed)
    return SimpleNamespace(test=split, class_names=("one", "two"), eval_batch_size=64)


def test_maps_with_a_known_answer():
    data = made_data()
    result = Localisation(explanations=[], examples=3).run(Stub(), data)
    maps, area = result.figures["maps"], 15 / 256
    assert list(maps) == ["A", "B", "C", "product", "mean", "max"]
    for key in ("iou", "iou_mean", "pointing", "energy", "auc"):
        assert maps["A"][key]["value"] == pytest.approx(1), key
        assert maps["A"][key]["n"] == 300
        chance = 0.5 if key == "auc" else area
        for figure in (maps["B"][key], maps["A"][key]["controls"]["uniform"]):
            assert figure["value"] == pytest.approx(chance), key
        nothing = maps["B"][key]["controls"]
        assert nothing["uniform"]["difference"]["interval"] == pytest.approx([0, 0], abs=1e-7)
        assert nothing["shuffled"]["difference"]["value"] == pytest.approx(0, abs=1e-7), "all its maps are alike"
        assert nothing["chance"]["difference"]["value"] == pytest.approx(0, abs=1e-7)
        low, _ = maps["A"][key]["controls"]["centre_prior"]["difference"]["interval"]
        assert low > 0.3
    for key in ("pointing", "energy"):
        low, high = maps["A"][key]["controls"]["shuffled"]["interval"]
        assert low < area < high, "another image's map is at chance where no place is better than another"
    low, high = maps["A"]["auc"]["controls"]["shuffled"]["interval"]
    assert low < 0.5 < high
    low, high = maps["C"]["pointing"]["interval"]
    assert low < 0.7 < high, "a map that is right in 7 of 10 pictures"
    assert maps["C"]["auc"]["value"] == pytest.approx(maps["C"]["pointing"]["value"])
    assert set(result.pictures) == {"iou_by_threshold", "examples"}
    assert len(result.rows) == 6 * 5
    assert len({tuple(row) for row in result.rows}) == 1
    assert max(map(len, result.lines)) <= 125


def test_the_table_says_what_beats_every_control():
    lines = Localisation(explanations=[], examples=0).run(Stub(), made_data()).lines
    (a,) = [line for line in lines if line.startswith("A 16x16") and "to" in line]
    (b,) = [line for line in lines if line.startswith("B 4x4") and "to" in line]
    assert a.split()[2:5] == ["1.000", "(1.000", "to"]
    assert a.endswith("*")
    assert not b.endswith("*")


def test_thresholds_are_said_and_one_at_the_edge_of_the_grid_is_marked():
    lines = Localisation(explanations=[], examples=0).run(Stub(), made_data()).lines
    (said,) = [line for line in lines if line.startswith("thresholds")]
    shown = dict(part.split("=") for part in said.partition(": ")[2].split())
    assert set(shown) == {"A", "B", "C", "product", "mean", "max"}
    assert shown["A"].endswith("1e-08!"), "of a mask any threshold is as good, so that the lowest is taken"
    assert [line for line in lines if line.startswith("! the lowest")]


def test_a_threshold_within_the_grid_is_not_marked():
    data = made_data()
    blurred = data.test.images.copy()
    blurred[..., 0] = 10 + 190 * blurred[..., 0]
    blurred[:, ::2, :, 0] += 20  # half of what is beside the object is above the minimum
    data.test = data.test._replace(images=blurred)
    lines = Localisation(explanations=[], examples=0).run(Stub(("A",)), data).lines
    (said,) = [line for line in lines if line.startswith("thresholds")]
    assert float(said.rpartition("=")[2]) > 1e-3
    assert not [line for line in lines if line.startswith("!")]


def test_the_centre_prior_is_fitted_on_the_other_half():
    """Objects of one half lie left, those of the other right: the prior of either finds nothing of the other."""
    count, half = 40, halves(40, None, 0)
    roles = np.zeros((count, 16, 16), np.uint8)
    roles[half, 6:9, 1:4] = 2
    roles[~half, 6:9, 12:15] = 2
    found = Localisation(explanations=[], examples=0).run(Stub(("A",)), made_data(count, roles=roles)).figures["maps"]
    assert list(found) == ["A"], "one level has no combinations"
    prior = found["A"]
    assert prior["pointing"]["controls"]["centre_prior"]["value"] == 0
    assert prior["energy"]["controls"]["centre_prior"]["value"] < 1e-3


def test_intervals_resample_sources():
    free, tied = (
        Localisation(explanations=[], examples=0).run(Stub(("C",)), made_data(sources=sources)).figures["maps"]["C"]
        for sources in (None, np.arange(300) // 30)
    )
    wide, narrow = (np.diff(found["pointing"]["interval"])[0] for found in (tied, free))
    assert tied["pointing"]["value"] == free["pointing"]["value"]
    assert wide != narrow


def without(roles, number):
    roles = roles.copy()
    roles[number] = 1
    return roles


@pytest.mark.parametrize(
    ("changed", "stub", "says"),
    [
        ({"roles": None}, Stub(), "has no masks and no boxes: choose data=mask_folder, data=box_folder or"),
        ({"roles": without(made_data(20).test.roles, [3, 7])}, Stub(), "2 of 20 test images have an empty mask .* image 3"),
        ({"roles": np.full((20, 8, 12), 2, np.uint8)}, Stub(), "masks of 12x8 pixels do not fit images of 16x16"),
        ({"sources": np.zeros(20, np.int64)}, Stub(), "1 sources .* too few"),
        ({}, Stub(()), "this network has no maps, and no explanations"),
    ],
)
def test_what_can_be_wrong_is_one_line(changed, stub, says):
    with pytest.raises(ValueError, match=says) as error:
        Localisation(explanations=[]).run(stub, made_data(20, **changed))
    assert "\n" not in str(error.value)


def made_boxes(count=300, size=16, right=0.7):
    """Objects of 6 x 5 pixels, known by their box alone. Maps as of `made_data`."""
    rng = np.random.default_rng(0)
    corners = rng.integers(0, size - 6, (count, 2))
    boxes = np.full((count, 2, 4), np.nan, np.float32)
    boxes[:, 0] = np.concatenate([corners, corners + np.array([5, 6])], 1)
    inside = fill_boxes(boxes, (size, size))
    shown = np.where((rng.random(count) < right)[:, None, None], inside, ~inside)
    images = np.stack([inside, np.zeros_like(inside), shown], axis=3).astype(np.uint8)
    split = Split(images, np.zeros(count, np.int64), boxes=boxes)
    return SimpleNamespace(test=split, class_names=("one", "two"), eval_batch_size=64)


def test_objects_known_by_boxes():
    result = Localisation(explanations=[], examples=3).run(Stub(), made_boxes())
    maps = result.figures["maps"]
    for key in ("box_30", "box_50", "box_70"):
        assert maps["A"][key]["value"] == 1, "the map is the object"
        assert maps["B"][key]["value"] == 0, "the whole picture fits none"
        assert maps["A"][key]["controls"]["uniform"]["value"] == 0
        assert set(maps["A"][key]["controls"]) == {"uniform", "centre_prior", "shuffled"}
        low, high = maps["C"][key]["interval"]
        assert low < 0.7 < high, "a map that is right in 7 of 10 pictures"
    assert maps["A"]["energy"]["value"] == pytest.approx(1)
    assert maps["B"]["energy"]["value"] == pytest.approx(30 / 256)
    assert maps["C"]["pointing"]["value"] == pytest.approx(maps["C"]["box_50"]["value"])
    assert set(result.pictures) == {"iou_by_threshold", "examples"}
    assert len(result.rows) == 6 * 5
    assert result.lines[1].startswith("box at 0.5 ")
    assert result.lines[2].split()[2:4] == ["1.000", "(1.000"]
    assert result.lines[2].endswith("*")
    assert max(map(len, result.lines)) <= 125


def test_each_overlap_has_a_threshold_of_its_own():
    """The map is 1 on a row of 3 of 6, 0.2 on the others: the first fits at 0.5, only both at 0.7."""
    data = made_boxes()
    images = data.test.images.copy()
    boxes = data.test.boxes[:, 0].astype(int)
    for image, (left, top, right, _) in zip(images, boxes, strict=True):
        image[..., 0] *= 20
        image[top : top + 3, left:right, 0] = 100
    data.test = data.test._replace(images=images)
    found = Localisation(explanations=[], examples=0).run(Stub(("A",)), data).figures["maps"]["A"]
    assert [found[key]["value"] for key in ("box_30", "box_50", "box_70")] == [1, 1, 1]
    assert max(found["box_70"]["thresholds"]) <= 0.2


def test_maps_that_are_no_numbers_are_refused():
    stub = Stub(("A",))
    stub.forward = lambda images: NetworkOutput(
        torch.zeros(len(images), 2), (), {"A": torch.full((len(images), 4, 4), torch.nan)}, {}, {}, {}
    )
    with pytest.raises(ValueError, match="maps of A hold values that are not numbers"):
        Localisation(explanations=[]).run(stub, made_data(20))


def test_settings(monkeypatch):
    for settings, says in (
        ({"explanations": ["lime"]}, "explanations=lime is unknown; choose one of gradcam, gradcam_pp"),
        ({"explanation_images": 1}, "explanation_images=1 must be a whole number, at least 2"),
        ({"steps": 0}, "steps=0"),
        ({"examples": -1}, "examples=-1"),
    ):
        with pytest.raises(ValueError, match=f"evaluator.localisation.{says}"):
            Localisation(**settings)
    written = OmegaConf.to_container(OmegaConf.load(CONF / "evaluator" / "localisation.yaml"))
    assert written.pop("_target_") == "lta.evaluators.localisation.Localisation"
    assert vars(Localisation(**written)) == vars(Localisation())
    monkeypatch.setattr(evaluator, "has_explanation_libraries", lambda: False)
    with pytest.raises(ValueError, match=r"explanations=saliency needs: pip install lta\[explain\]"):
        Localisation(explanations=["saliency"])
    lines = Localisation(examples=0).run(Stub(), made_data(20)).lines
    assert [line for line in lines if "pip install lta[explain]" in line]


@pytest.mark.parametrize(("count", "expected"), [(10, 10), (None, 90), (500, 90), (85, 85), (3, 3)])
def test_of_both_halves_images_are_explained(count, expected):
    half = np.arange(90) < 20
    images = choose_explained_images(half, count, 0)
    assert len(images) == len(set(images)) == expected
    assert (np.diff(images) > 0).all()
    assert 0 < half[images].sum() < expected


class Small(torch.nn.Module):
    """A network of lta as a run leaves it, untrained."""

    class_names = tuple(map(str, range(10)))
    hparams: ClassVar = {}

    def __init__(self, *overrides):
        super().__init__()
        self.network = network(*overrides, "model.width=0.0625").eval()
        self.preprocess = Standardize()

    def forward(self, images):
        return self.network(self.preprocess(images))


def scenes():
    data = DigitScenes(train_size=10, val_size=0, test_size=40, eval_batch_size=16)
    data.setup()
    return data


def test_a_network_without_maps_has_explanations():
    result = Localisation(explanation_images=20, steps=2, examples=2).run(Small("model=vgg"), scenes())
    assert list(result.figures["maps"]) == ["gradcam", "gradcam_pp", "saliency", "integrated_gradients"]
    assert result.figures["maps"]["saliency"]["energy"]["n"] == 20
    assert "40 images, 20 of them explained" in result.lines[0]


def test_attention_is_compared_with_explanations_on_the_same_images():
    network = Small("model=vgg_gap")
    found = Localisation(["gradcam"], explanation_images=20, examples=0).run(network, scenes()).figures["maps"]
    assert found["C"]["kind"] == "class activation map"
    assert found["C"]["energy"]["n"] == 40
    over = found["C"]["energy"]["over_explanations"]["gradcam"]
    assert over["n"] == 20
    assert over["value"] == pytest.approx(0, abs=1e-6), "of a GAP network both are the same map"


def answer():
    found = Localisation(explanation_images=None, steps=2, examples=0).run(Small("model=vgg_att2", "compat=dp"), scenes())
    return json.dumps(to_plain(found.figures)), found.rows, found.lines


def process(rank, path):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{path}/meet", rank=rank, world_size=2)
    torch.save(answer(), f"{path}/{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_answer_what_one_does(tmp_path):
    torch.multiprocessing.spawn(process, (str(tmp_path),), nprocs=2)
    torch.set_num_threads(1)
    alone = answer()
    for rank in range(2):
        assert torch.load(tmp_path / f"{rank}.pt", weights_only=False) == alone
