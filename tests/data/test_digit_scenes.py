"""The embedded data set: deterministic, splits apart, roles exact, no shortcut by contrast."""

import numpy as np
import pytest
import torch

from lta.data import digit_scenes
from lta.data.digit_scenes import BACKGROUND, MAIN, SIDE, DigitScenes, make_scenes


@pytest.fixture(scope="module")
def scenes():
    return {name: make_scenes(name, 600) for name in ("train", "val", "test")}


def test_same_arguments_same_scenes():
    one, same, other = make_scenes("val", 20), make_scenes("val", 20), make_scenes("val", 20, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.images, other.images)


def test_shapes_and_types(scenes):
    split = scenes["train"]
    assert split.images.shape == (600, 32, 32, 3)
    assert split.images.dtype == np.uint8
    assert split.labels.dtype == np.int64
    assert set(split.labels) == set(range(10))
    assert split.roles.shape == (600, 32, 32)
    assert set(np.unique(split.roles)) == {BACKGROUND, SIDE, MAIN}


def test_main_and_side_masks_cover_6_to_10_percent(scenes):
    for split in scenes.values():
        for role in (SIDE, MAIN):
            assert 0.06 <= (split.roles == role).mean() <= 0.10


def test_every_scene_shows_its_main_object(scenes):
    assert ((scenes["train"].roles == MAIN).sum((1, 2)) > 15).all()


def test_source_digits_are_disjoint_fragments_included(monkeypatch):
    used = {}
    original = digit_scenes._cut_side_objects
    for name in ("train", "val", "test"):
        drawn = used[name] = set()
        monkeypatch.setattr(
            digit_scenes,
            "_cut_side_objects",
            lambda rng, sources, drawn=drawn: drawn.update(sources) or original(rng, sources),
        )
        drawn.update(make_scenes(name, 450).sources)
    assert not used["train"] & used["val"]
    assert not used["train"] & used["test"]
    assert not used["val"] & used["test"]
    assert len(used["train"]) + len(used["val"]) + len(used["test"]) == 1797


def test_background_regions_are_disjoint(monkeypatch):
    """With every photograph replaced by its own column numbers, a crop tells where it comes from."""
    columns = np.tile((np.arange(640) / 640 * 255)[None, :, None], (64, 1, 3))
    monkeypatch.setattr(digit_scenes, "_load_photographs", lambda: [columns])
    monkeypatch.setattr(digit_scenes, "DIMMED", (1.0, 1.0))
    rng = np.random.default_rng(0)
    seen = {}
    for name in ("train", "val", "test"):
        crops = np.stack([digit_scenes.cut_background(rng, name) for _ in range(200)])
        seen[name] = (crops.min(), crops.max())
    assert seen["train"][1] < seen["val"][0]
    assert seen["val"][1] < seen["test"][0]


def test_contrast_does_not_tell_main_from_side(scenes):
    """Painted opacity and colour have one distribution: brightness over the background is alike for both roles."""
    rng = np.random.default_rng(0)
    painted = {SIDE: [], MAIN: []}
    for _ in range(1500):
        for role in painted:
            scene, roles = np.zeros((32, 32, 3)), np.zeros((32, 32), np.uint8)
            digit_scenes.paste(rng, scene, roles, np.ones((8, 8)), np.array([4, 4]), role)
            painted[role].append(scene[8, 8])
    side, main = (np.array(painted[role]) for role in (SIDE, MAIN))
    # two-sample test of the mean, per channel: within four standard errors
    assert (np.abs(side.mean(0) - main.mean(0)) < 4 * np.sqrt((side.var(0) + main.var(0)) / 1500)).all()
    # and in the scenes themselves: brightness of main within 10 % of that of side
    split = scenes["train"]
    brightness = [split.images[split.roles == role].mean() for role in (SIDE, MAIN)]
    assert brightness[1] == pytest.approx(brightness[0], rel=0.1)


def test_role_map_marks_painted_pixels_only():
    scene, roles = np.zeros((32, 32, 3)), np.zeros((32, 32), np.uint8)
    alpha = np.zeros((6, 6))
    alpha[1:3, 2:5] = 1.0
    digit_scenes.paste(np.random.default_rng(0), scene, roles, alpha, np.array([-2, 28]), MAIN)
    expected = np.zeros((32, 32), bool)
    expected[0:1, 30:32] = True  # rows -1, 0 and columns 30, 31, 32 of the painted block, cut at the frame
    assert np.array_equal(roles == MAIN, expected)
    assert np.array_equal(scene.sum(2) > 0, expected)


def test_position_of_the_main_object_is_as_documented(monkeypatch):
    """Offsets uniform with at most a sixth of the box outside, so that the box centre has mean 16 and std about 5.8."""
    offsets = []
    original = digit_scenes.paste

    def record(rng, scene, roles, alpha, offset, role):
        if role == MAIN:
            offsets.append(offset + np.array(alpha.shape) / 2)
            assert (offset >= -(alpha.shape[0] // 6)).all()
            assert (offset + alpha.shape[0] - 32 <= alpha.shape[0] // 6).all()
        original(rng, scene, roles, alpha, offset, role)

    monkeypatch.setattr(digit_scenes, "paste", record)
    make_scenes("train", 2000)
    centres = np.array(offsets)
    assert np.abs(centres.mean(0) - 16).max() < 0.5
    assert centres.std(0) == pytest.approx(5.8, abs=0.2)


def test_data_module_splits_and_sizes():
    data = DigitScenes(train_size=50, val_size=20, test_size=30, batch_size=10)
    data.setup()
    assert [len(split.labels) for split in (data.train, data.val, data.test)] == [50, 20, 30]
    assert data.num_classes == 10
    assert data.image_size == (32, 32)
    images, labels, _ = next(iter(data.train_dataloader()))
    assert images.shape == (10, 3, 32, 32)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert labels.shape == (10,)


@pytest.mark.parametrize("options", [{"train_size": 0}, {"val_size": -1}, {"test_size": 0}, {"batch_size": 0}])
def test_wrong_sizes_are_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"data.{name}="):
        DigitScenes(**options)
