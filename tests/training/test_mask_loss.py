"""Maps that masks teach: the loss by hand, each mask in its picture's place, and what is refused."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from commands import TINY, assert_refused, lta_run
from networks import network
from torch import nn

from lta.data.batches import Split
from lta.data.errors import DataError
from lta.data.known_masks import KnownMasks, find_masks
from lta.measures.placement import find_placements
from lta.measures.roles import coverage
from lta.training.cached_features import compute_features
from lta.training.classifier import Classifier
from lta.training.losses import CrossEntropy
from lta.training.mask_loss import MaskLoss
from lta.training.recipes import SGDRecipe
from lta.training.teaching_masks import TeachingMasks
from lta.transforms.augment import FlipCropCutout
from lta.transforms.normalize import Standardize

SCORES = torch.tensor([[[2.0, -1.0]], [[0.0, 3.0]], [[5.0, 5.0]]])
COVERED = torch.tensor([[[1.0, 0.25]], [[0.0, 0.5]], [[0.0, 0.0]]])
KNOWN = torch.tensor([True, True, False])


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


def bce(score, share):
    return -(share * log_sigmoid(score) + (1 - share) * log_sigmoid(-score))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


BY_HAND = {
    "bce": [(bce(2, 1) + bce(-1, 0.25)) / 2, (bce(0, 0) + bce(3, 0.5)) / 2],
    "energy": [1 - (0.5 * 1 + 0.5 * 0.25), 1 - 0.5 * 0.5],
    "dice": [
        1 - 2 * (sigmoid(2) + 0.25 * sigmoid(-1)) / (sigmoid(2) + sigmoid(-1) + 1.25),
        1 - 2 * 0.5 * sigmoid(3) / (0.5 + sigmoid(3) + 0.5),
    ],
}


@pytest.mark.parametrize("kind", BY_HAND)
def test_by_hand(kind):
    attn = torch.full((3, 1, 2), 0.5)
    found = MaskLoss(7.0, kind)({"A": SCORES}, {"A": attn}, {"A": COVERED}, KNOWN)
    assert found.item() == pytest.approx(sum(BY_HAND[kind]), rel=1e-5)


def test_levels_count_alike_whatever_their_size():
    fine, coarse = torch.zeros(1, 8, 8), torch.full((1, 2, 2), 3.0)
    covered = {"A": torch.ones(1, 8, 8), "B": torch.ones(1, 2, 2)}
    found = MaskLoss(1.0)({"A": fine, "B": coarse}, {"A": fine, "B": coarse}, covered, torch.tensor([True]))
    assert found.item() == pytest.approx((math.log(2) + bce(3, 1)) / 2, rel=1e-5)


HEIGHT, WIDTH = 24, 40


def draw_split(count=8, masked=(1, 4, 6)):
    """Black pictures, wider than high, with a white block somewhere, which is the mask of some."""
    rng = np.random.default_rng(0)
    pixels = np.zeros((count, HEIGHT, WIDTH), bool)
    for picture in pixels:
        top, left = rng.integers(0, HEIGHT - 6), rng.integers(0, WIDTH - 9)
        picture[top : top + 6, left : left + 9] = True
    rows = np.full(count, -1)
    rows[list(masked)] = np.arange(len(masked))
    images = np.repeat(pixels[..., None], 3, 3).astype(np.uint8) * 255
    return Split(images, np.arange(count) % 2, masks=KnownMasks(pixels[list(masked)], rows))


class Looks(nn.Module):
    """Scores each pixel by its brightness: 0 or 1 times a weight."""

    levels, classifiers = ("A",), ()

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, images):
        from lta.models.output import NetworkOutput

        self.seen = images
        scores = images.mean(1) * self.weight
        logits = torch.zeros(len(images), 2) + 0 * self.weight
        return NetworkOutput(logits, (logits,), {"A": scores.flatten(1).softmax(1).view_as(scores)}, {"A": scores}, {}, {})


class Scale(nn.Module):
    def fit(self, images):
        pass

    def forward(self, images):
        return images / 255


def make_classifier(augment, loss, network=None):
    return Classifier(network or Looks(), Scale(), augment, SGDRecipe(1), loss, ("a", "b"))


def make_batch(split):
    images = torch.from_numpy(split.images).permute(0, 3, 1, 2)
    return images, torch.from_numpy(split.labels), torch.arange(len(split.labels))


@pytest.mark.parametrize("augment", [nn.Identity(), FlipCropCutout(0.5, 3), FlipCropCutout(0.5, alternate=True)])
def test_the_gradient_says_that_each_mask_lies_on_its_object(augment):
    """Of pictures that are their own mask, a score that grows with brightness is right in each pixel: of all pixels of the
    masked pictures, and of no others, comes the gradient at 0."""
    split = draw_split()
    classifier = make_classifier(augment, CrossEntropy(mask=2.0))
    classifier.take_masks(split)
    torch.manual_seed(3)
    classifier.training_step(make_batch(split), 0).backward()
    bright = classifier.network.seen[[1, 4, 6]].mean(1).flatten(1)
    expected = 2.0 * ((0.5 - bright) * bright).mean(1).mean()  # of cross-entropy at score 0: (sigmoid - target) * input
    torch.testing.assert_close(classifier.network.weight.grad, expected)
    assert classifier.train_mask_loss.compute().item() == pytest.approx(math.log(2))


def test_pictures_are_changed_as_without_masks():
    split, seen = draw_split(), []
    for loss in (CrossEntropy(), CrossEntropy(mask=1.0)):
        classifier = make_classifier(FlipCropCutout(0.5, 3), loss)
        classifier.take_masks(split)
        torch.manual_seed(1)
        classifier.training_step(make_batch(split), 0)
        seen.append(classifier.network.seen)
    assert torch.equal(*seen)


def test_a_batch_without_masks_teaches_by_label_alone():
    split = draw_split(masked=(7,))
    classifier = make_classifier(nn.Identity(), CrossEntropy(mask=1.0))
    classifier.take_masks(split)
    images, labels, numbers = (part[:4] for part in make_batch(split))
    loss = classifier.training_step((images, labels, numbers), 0)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    assert classifier.network.weight.grad == 0


def test_over_processes_the_mean_is_that_of_all_masked_pictures():
    """This one has three, and on average over the processes there are one and a half."""
    split = draw_split()
    losses = {}
    for mean in (3.0, 1.5):
        classifier = make_classifier(nn.Identity(), CrossEntropy(mask=1.0))
        classifier.take_masks(split)
        if mean != 3.0:
            strategy = SimpleNamespace(reduce=lambda count, reduce_op: count * 0 + 1.5)
            classifier._trainer = SimpleNamespace(world_size=2, strategy=strategy)
        losses[mean] = classifier.training_step(make_batch(split), 0).item() - math.log(2)
    assert losses[1.5] == pytest.approx(2 * losses[3.0])


def test_cells_lie_in_their_true_place():
    """The unpadded trunk's levels cover the middle of the picture; as the roles evaluator has it."""
    made = network("model=vgg_att2", "model.width=0.0625")
    split = draw_split()
    placements = find_placements(made, (HEIGHT, WIDTH))
    masks = TeachingMasks(split.masks, made.levels, placements)
    taken, known = masks.take(torch.tensor([4, 0, 6]), torch.device("cpu"))
    assert known.tolist() == [True, False, True]
    assert taken[1].sum() == 0
    with torch.no_grad():
        maps = made.eval()(torch.zeros(3, 3, HEIGHT, WIDTH)).attn
    for level, share in masks.cover(taken, maps).items():
        expected = coverage(2 * taken.to(torch.uint8), tuple(maps[level].shape[1:]), placements[level])[:, 2]
        torch.testing.assert_close(share, expected)
    assert share.shape == maps[level].shape


def test_masks_of_cached_features_are_mirrored_as_these(monkeypatch):
    pytest.importorskip("timm")
    small = ("model.backbone.name=resnet18", "model.backbone.weights=none", "model.backbone.cache=true")
    made = network("model=backbone_att2", *small, num_classes=2)
    classifier = Classifier(made, Standardize(), FlipCropCutout(0.5, 0), SGDRecipe(1), CrossEntropy(mask=1.0), ("a", "b"))
    split = draw_split()
    split = split._replace(images=split.images.repeat(2, 1).repeat(2, 2))
    split = split._replace(masks=split.masks._replace(pixels=split.masks.pixels.repeat(2, 1).repeat(2, 2)))
    classifier.fit_input(split.images)
    classifier.take_masks(split)
    data = SimpleNamespace(train=split, val=None, test=split)
    classifier.features = compute_features(classifier.eval(), data, None, with_mirrored=True)
    turned = torch.tensor([True, False] * 4)
    monkeypatch.setattr(classifier.augment, "choose_mirrored", lambda count, device: turned)
    given = []
    monkeypatch.setattr(classifier, "_compute_mask_loss", lambda output, masks, known: given.append(masks) or 0.0)
    classifier.training_step(make_batch(split), 0)
    expected, _ = classifier.masks.take(torch.arange(8), torch.device("cpu"))
    assert torch.equal(given[0][[0, 2, 4, 6]], expected[[0, 2, 4, 6]].flip(2))
    assert torch.equal(given[0][[1, 3, 5, 7]], expected[[1, 3, 5, 7]])


def test_a_handful_is_chosen_evenly_and_always_the_same():
    split = draw_split(masked=range(8))
    classifier = make_classifier(nn.Identity(), CrossEntropy(mask=1.0, mask_count=4))
    classifier.take_masks(split)
    _, known = classifier.masks.take(torch.arange(8), torch.device("cpu"))
    assert known.tolist() == [True] * 4 + [False] * 4
    with pytest.raises(DataError, match=r"loss.mask_count=9: only 8 training pictures have a mask"):
        make_classifier(nn.Identity(), CrossEntropy(mask=1.0, mask_count=9)).take_masks(split)


def test_masks_of_roles_are_their_main_objects():
    roles = np.zeros((3, 4, 5), np.uint8)
    roles[0, 1, 2], roles[1, 1, 2] = 2, 1
    masks = find_masks(Split(np.zeros((3, 4, 5, 3), np.uint8), np.arange(3), roles))
    assert masks.known.tolist() == [0]
    assert masks.get(0).sum() == 1
    assert masks.get(1) is None
    assert masks.select(np.array([2, 0])).known.tolist() == [1]


def test_a_split_that_is_cut_keeps_its_masks():
    split = draw_split()
    for part in (split.take(np.array([6, 0])), split.view(np.array([6, 0]))):
        assert np.array_equal(part.masks.get(0), np.asarray(part.images[0])[..., 0] > 0)
        assert part.masks.get(1) is None


REFUSED = [
    (["compat=uniform"], "loss.mask=1 teaches scores, but those of A, B, C are not learned (compat=uniform or frozen)"),
    (["compat=frozen"], "are not learned (compat=uniform or frozen): choose compat=pc"),
    (["model=vgg"], "loss.mask=1 teaches maps, but this network has none"),
    (["model=vgg_gap"], "those of C are not learned (class activation map)"),
    (
        ["augment.cutout=4"],
        "loss.mask=1: augment=FlipCropCutout, with these settings, can't change a mask the way it changes the picture",
    ),
    (["loss.mask_levels=[D]"], "loss.mask_levels: the network has no level D; its levels are A, B, C"),
    (["loss.mask_levels=A"], "loss.mask_levels=A must be a list of different levels"),
    (["loss.mask_kind=l2"], "loss.mask_kind=l2 is unknown; choose one of bce, energy, dice"),
    (["loss.mask=0", "loss.mask_count=3"], "loss.mask_count=3 is not used with loss.mask=0"),
    (["loss.mask=-1"], "loss.mask=-1 must be a number in [0, 1e+06)"),
]


@pytest.mark.parametrize(("given", "says"), REFUSED)
def test_what_can_not_be_taught_is_refused(given, says, tmp_path, capsys):
    assert_refused(lta_run(capsys, [*TINY, "loss.mask=1", *given, f"hydra.run.dir={tmp_path}/run"]), says)


def test_data_without_masks_are_refused():
    split = Split(np.zeros((4, 8, 8, 3), np.uint8), np.arange(4) % 2)
    with pytest.raises(DataError, match=r"loss.mask=1 needs masks of training pictures, but the data have none"):
        make_classifier(nn.Identity(), CrossEntropy(mask=1.0)).take_masks(split)
