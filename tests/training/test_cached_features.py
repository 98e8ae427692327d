"""Features of a frozen trunk, computed once: they are what the trunk gives, and nothing else is ever taken for them."""

import csv
import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from commands import assert_refused, lta_run, train
from networks import network
from torch import nn

from lta.data.batches import PlacesDataset, Split
from lta.training import feature_files
from lta.training.cached_features import (
    CachedFeatures,
    Part,
    check_augment,
    choose_mirrored,
    compute_features,
    fit_once,
    list_known,
)
from lta.training.classifier import Classifier
from lta.training.flops import count_step_flops
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.transforms.augment import FlipCropCutout, HalfFlip
from lta.transforms.normalize import Standardize

pytest.importorskip("timm")

SMALL = ("model.backbone.name=resnet18", "model.backbone.weights=none", "model.backbone.cache=true")


def make_split(count, seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (count, 40, 40, 3)).astype(np.uint8)
    return Split(images, np.arange(count) % 3)


@pytest.fixture(scope="module")
def classifier():
    made = Classifier(
        network("model=backbone_att2", *SMALL, num_classes=3),
        Standardize(),
        nn.Identity(),
        SGDRecipe(1),
        CrossEntropy(),
        ("a", "b", "c"),
    )
    made.fit_input(make_split(70).images)
    return made.eval()


@pytest.fixture
def data():
    return SimpleNamespace(train=make_split(70), val=make_split(5, 1), test=make_split(9, 2))


@pytest.fixture
def calls(classifier, monkeypatch):
    """How many pictures the trunk has looked at, call by call."""
    trunk, seen = classifier.network.trunk, []
    features = trunk.features
    monkeypatch.setattr(trunk, "features", lambda images: (seen.append(len(images)), features(images))[1])
    return seen


@torch.no_grad()
def run_trunk(classifier, images, mirrored=False):
    seen = classifier.preprocess(torch.from_numpy(images).permute(0, 3, 1, 2))
    return classifier.network.trunk.features(seen.flip(3) if mirrored else seen)


@pytest.mark.parametrize("in_files", [True, False])
def test_they_are_what_the_trunk_gives(classifier, data, tmp_path, in_files):
    found = compute_features(classifier, data, tmp_path if in_files else None, with_mirrored=True)
    numbers, mirrored = torch.tensor([69, 3, 3, 64]), torch.tensor([False, True, False, True])
    taken = found.take("train", numbers, mirrored, torch.device("cpu"))
    assert list(taken.levels) == ["B", "D"]
    for row, (number, turned) in enumerate(zip(numbers.tolist(), mirrored.tolist(), strict=True)):
        own = run_trunk(classifier, data.train.images[[number]], turned)
        for level, x in taken.levels.items():
            torch.testing.assert_close(x[row], own.levels[level][0], rtol=2e-3, atol=2e-3)
        torch.testing.assert_close(taken.query[row], own.query[0], rtol=2e-3, atol=2e-3)
    assert taken.levels["B"].dtype == torch.float32
    assert taken.levels["B"].is_contiguous(memory_format=torch.channels_last)
    assert found.take("test", torch.arange(9), None, torch.device("cpu")).levels["D"].shape[0] == 9


def test_they_are_computed_once_whatever_is_trained_on_them(classifier, data, calls, tmp_path):
    compute_features(classifier, data, tmp_path, with_mirrored=False)
    assert calls == [64, 6, 5, 9]
    compute_features(classifier, data, tmp_path, with_mirrored=False)
    assert calls == [64, 6, 5, 9]
    compute_features(classifier, data, tmp_path, with_mirrored=True)
    assert calls[4:] == [64, 6], "the mirrored ones alone"


@pytest.mark.parametrize("what", ["a pixel", "a weight", "preprocessing", "a mean of a level"])
def test_others_are_never_taken_for_them(classifier, data, calls, tmp_path, what):
    compute_features(classifier, data, tmp_path, with_mirrored=False)
    calls.clear()
    tensor = {
        "a weight": next(classifier.network.trunk.model.parameters()),
        "a mean of a level": next(classifier.network.trunk.norms["B"].buffers()),
        "preprocessing": next(classifier.preprocess.buffers()),
    }.get(what)
    if tensor is None:
        data.train.images[-1, 0, 0, 0] ^= 1
    else:
        kept = tensor.detach().clone()
        with torch.no_grad():
            tensor.mul_(1.5)
    compute_features(classifier, data, tmp_path, with_mirrored=False)
    assert calls == ([64, 6] if tensor is None else [64, 6, 5, 9])
    if tensor is not None:
        tensor.data.copy_(kept)


def test_half_of_them_are_no_file(classifier, data, calls, monkeypatch, tmp_path):
    features = classifier.network.trunk.features

    def fail(images):
        if len(calls) == 1:
            raise KeyboardInterrupt
        return features(images)

    with monkeypatch.context() as patched:
        patched.setattr(classifier.network.trunk, "features", fail)
        with pytest.raises(KeyboardInterrupt):
            compute_features(classifier, data, tmp_path, with_mirrored=False)
    assert not list(tmp_path.rglob("*.npy"))
    calls.clear()
    compute_features(classifier, data, tmp_path, with_mirrored=False)
    assert calls == [64, 6, 5, 9]


@pytest.mark.parametrize("damage", ["a bit", "half", "empty", "other"])
def test_a_damaged_file_is_noticed_and_made_anew(classifier, data, calls, tmp_path, caplog, damage):
    device = torch.device("cpu")
    before = compute_features(classifier, data, tmp_path, with_mirrored=False)
    expected = before.take("test", torch.arange(9), None, device).levels["B"]
    (path,) = (path for path in tmp_path.rglob("B.npy") if len(np.load(path, mmap_mode="r")) == 9)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    path.write_bytes({"a bit": bytes(flipped), "half": whole[: len(whole) // 2], "empty": b"", "other": b"text"}[damage])
    calls.clear()
    found = compute_features(classifier, data, tmp_path, with_mirrored=False)
    assert calls == [9], "of the one that is damaged"
    assert "made again" in caplog.text
    assert torch.equal(found.take("test", torch.arange(9), None, device).levels["B"], expected)
    assert path.read_bytes() == whole


def test_a_file_that_was_found_whole_is_not_read_again_until_it_changes(classifier, data, calls, monkeypatch, tmp_path):
    monkeypatch.setattr(feature_files, "SETTLED", 0)
    whole = []
    note = feature_files._note
    monkeypatch.setattr(feature_files, "_note", lambda path, *rest: (whole.append(path), note(path, *rest)))

    def compute() -> int:
        """How many files were read from end to end."""
        whole.clear()
        compute_features(classifier, data, tmp_path, with_mirrored=False)
        return len(whole)

    compute()
    assert compute() == 9, "three levels of three splits, for the first time"
    assert compute() == 0
    path = next(tmp_path.rglob("B.npy"))
    path.write_bytes(path.read_bytes())
    assert compute() == 1
    path.with_suffix(".found_whole.json").write_text("{")
    assert compute() == 1
    assert len(calls) == 4, "computed once"


def test_what_was_measured_of_the_trunk_is_read_again(data, calls, classifier, tmp_path):
    def measure(number: int, images=data.train.images):
        norms = classifier.network.trunk.norms
        before = {name: value.clone() for name, value in norms.state_dict().items()}
        for value in norms.buffers():
            value.zero_()
        classifier.fit_input(images, fit_once(tmp_path))
        assert len(calls) == number
        return all(torch.equal(value, before[name]) for name, value in norms.state_dict().items())

    measured = classifier.network.trunk._compute_levels
    classifier.network.trunk._compute_levels = lambda *given: (calls.append(1), measured(*given))[1]
    try:
        assert measure(1)
        assert measure(1), "from the file"
        (path,) = tmp_path.rglob("measured-*.pt")
        path.write_bytes(path.read_bytes()[:100])
        assert measure(2), "made again"
        assert not measure(3, data.train.images[::-1] // 2), "of other pictures"
        assert not measure(3), "back to the first"
    finally:
        del classifier.network.trunk._compute_levels


def test_pictures_at_another_size_are_others(classifier, data, calls, tmp_path):
    for size in ((40, 40), (64, 64)):
        scaled = SimpleNamespace(**{name: split.scale(size) for name, split in vars(data).items()})
        compute_features(classifier, scaled, tmp_path, with_mirrored=False)
    assert calls == [64, 6, 5, 9] * 2


def test_no_picture_is_read_where_features_are_known(data):
    assert list_known(CachedFeatures({"train": Part({}), "test": Part({})})) == {"train", "test", "test_each_epoch"}
    images, labels, numbers = PlacesDataset(data.train)[np.array([4, 2])]
    assert images.shape == (2, 3, 1, 1)
    assert labels.tolist() == [1, 2]
    assert numbers.tolist() == [4, 2]


def test_a_full_disk_is_said_before_anything_is_written(classifier, data, monkeypatch, tmp_path):
    monkeypatch.setattr(feature_files.shutil, "disk_usage", lambda place: SimpleNamespace(free=1000))
    with pytest.raises(
        ValueError, match=r"features of train take \d+ MB, and the disk of .* has 0 MB free: give data.cache="
    ):
        compute_features(classifier, data, tmp_path, with_mirrored=False)
    assert not list(tmp_path.rglob("*.npy"))


def test_what_changes_pictures_anew_is_refused():
    assert check_augment(FlipCropCutout(0.5, shift=0))
    assert check_augment(HalfFlip())
    assert not check_augment(nn.Identity())
    for augment in (
        FlipCropCutout(0.5, shift=1),
        FlipCropCutout(0.5, shift=0, cutout=3),
        HalfFlip(batch_shift=1),
        nn.ReLU(),
    ):
        with pytest.raises(ValueError, match="give augment=flip or augment=none"):
            check_augment(augment)
    assert choose_mirrored(nn.Identity(), 4, torch.device("cpu")) is None
    assert choose_mirrored(HalfFlip(), 4, torch.device("cpu")).sum() == 2


def test_a_step_sees_mirror_images_where_augmentation_chooses_them(classifier, data, monkeypatch):
    monkeypatch.setattr(classifier, "augment", FlipCropCutout(1, shift=0))
    monkeypatch.setattr(classifier, "features", compute_features(classifier, data, None, with_mirrored=True))
    numbers = torch.arange(30, 46)
    images = torch.from_numpy(data.train.images[numbers.numpy()]).permute(0, 3, 1, 2)
    labels = torch.from_numpy(data.train.labels[numbers.numpy()])
    with torch.no_grad():
        step = classifier.training_step((images, labels, numbers), 0)
        mirrored, plain = (classifier.loss(classifier(pixels), labels) for pixels in (images.flip(3), images))
    assert abs(step - mirrored) < abs(step - plain) / 20


def test_what_is_counted_is_what_reads_them(classifier, data):
    whole = count_step_flops(classifier, 4, 40, 40)
    classifier.features = compute_features(classifier, data, None, with_mirrored=False)
    try:
        assert count_step_flops(classifier, 4, 40, 40) < whole / 5
    finally:
        classifier.features = None


def test_the_numbers_of_pictures_are_not_fetched_back(classifier, data):
    """From a device whose memory can't be read: what is not there stays on the CPU."""
    batch, meta = (
        (torch.zeros(2, 3, 40, 40, dtype=torch.uint8), torch.tensor([0, 1]), torch.tensor([7, 3])),
        torch.device("meta"),
    )
    assert [part.device.type for part in classifier.transfer_batch_to_device(batch, meta, 0)] == ["meta"] * 3
    classifier.features = compute_features(classifier, data, None, with_mirrored=True)
    try:
        images, labels, numbers = classifier.transfer_batch_to_device(batch, meta, 0)
        taken = classifier.features.take("train", numbers, choose_mirrored(FlipCropCutout(0.5, 0), 2, numbers.device), meta)
    finally:
        classifier.features = None
    assert images.is_meta
    assert labels.is_meta
    assert numbers.tolist() == [7, 3]
    assert all(x.is_meta for x in taken.levels.values())


QUICK = (
    *("model=backbone_att1", *SMALL[:2], "data=digit_scenes", "recipe=transfer", "recipe.epochs=2", "trainer=cpu"),
    *("data.train_size=64", "data.val_size=32", "data.test_size=32", "data.batch_size=32", "logger=none"),
    *("default_evaluators=none", "callbacks.attention_maps=null", "trainer.precision=32-true"),
)


def test_a_run_on_them_is_the_run_without(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, cache in (("plain", "false"), ("once", "true")):
        settings = ("augment=none", f"model.backbone.cache={cache}", f"hydra.run.dir={tmp_path}/{name}")
        said = train(*QUICK, *settings)
        assert ("features of train: 64 pictures" in said) == (name == "once")
    plain, once = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("plain", "once"))
    assert once["test"]["loss"] == pytest.approx(plain["test"]["loss"], rel=1e-3)
    rows = [list(csv.DictReader((tmp_path / name / "metrics.csv").open()))[-1] for name in ("plain", "once")]
    for key in ("train/loss", "val/loss", "attention/B/entropy"):
        assert float(rows[1][key]) == pytest.approx(float(rows[0][key]), rel=1e-3), key
    assert "features of" not in train(
        *QUICK, "augment=none", SMALL[2], "recipe.lr=1e-3", "compat=dp", f"hydra.run.dir={tmp_path}/again"
    )


@pytest.mark.parametrize("cache", ["false", "true"])
def test_lightning_has_no_advice_on_it(tmp_path, monkeypatch, capsys, cache):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    told = (*QUICK, "recipe.epochs=1", "augment=none", f"model.backbone.cache={cache}", f"hydra.run.dir={tmp_path}/run")
    with warnings.catch_warnings(record=True) as given:
        assert lta_run(capsys, told).status == 0
    assert not [str(one.message) for one in given if "overridden" in str(one.message)]


def test_a_run_that_goes_on_has_the_features_of_its_own_trunk(tmp_path, monkeypatch):
    """Which `init_from` has brought, and the run's configuration does not describe."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    train(*QUICK, "seed=1", "augment=none", f"hydra.run.dir={tmp_path}/other")
    told = (*QUICK, SMALL[2], "augment=none", f"init_from={tmp_path}/other", f"hydra.run.dir={tmp_path}/run")
    assert "features of train" in train(*told)
    (tmp_path / "run" / "results.json").unlink()
    assert "features of" not in train(f"resume={tmp_path}/run")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            ["model.backbone.train=last"],
            "model.backbone.cache=true is for a frozen network, but model.backbone.train is last",
        ),
        (["augment=shift"], "give augment=flip or augment=none"),
    ],
)
def test_what_does_not_go_with_them_is_said_in_a_line(tmp_path, capsys, settings, says):
    assert_refused(lta_run(capsys, [*QUICK, SMALL[2], *settings, f"hydra.run.dir={tmp_path}/run"]), says)
