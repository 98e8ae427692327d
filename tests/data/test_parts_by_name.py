"""data.split=hash: pictures that are added after training take none into test that was trained on."""

import random
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lta.data.errors import DataError
from lta.data.image_folder import ImageFolder
from lta.data.splits import draw_by_name


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def draw(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(value).integers(0, 256, (4, 4, 3), np.uint8)).save(path, "PNG")


def read(root: Path, **settings) -> ImageFolder:
    data = ImageFolder(str(root), **{"image_size": 4, "split": "hash", "batch_size": 2, **settings})
    data.setup()
    return data


def names_by_part(data: ImageFolder) -> dict[str, set[int]]:
    parts = {"train": data.train, "val": data.val, "test": data.test}
    return {part: set(split.ids[:, 1].tolist()) for part, split in parts.items() if split is not None}


def fill(root: Path, count: int, seed: int, start: int = 0) -> None:
    """`count` pictures in random classes and subfolders, some of them copies of others."""
    chance = random.Random(f"{seed} {start}")
    for number in range(start, start + count):
        folder = root / chance.choice(["cat", "dog", "émeu"]) / chance.choice([".", ".", "a", "b/ü"])
        copied = chance.random() < 0.2
        draw(folder / f"{chance.getrandbits(32):08x}.png", seed * 100_000 + (number // 3 if copied else number))


def add(root: Path, value: int) -> None:
    """A picture of each class, in whatever folder it comes first or last."""
    for letter in "azAZ09é":
        draw(root / "cat" / f"{letter}{value}.png", 10**6 + value * 10 + ord(letter))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("added", [1, 30])
def test_no_test_picture_was_trained_on_when_pictures_are_added(tmp_path, seed, added):
    root = tmp_path / "pets"
    fill(root, 150, seed)
    before = names_by_part(read(root, split_seed=seed, val_size=0.2))
    fill(root, added, seed, start=150)  # some of them copies of what was there, under names that come before theirs
    after = names_by_part(read(root, split_seed=seed, val_size=0.2))
    assert not after["test"] & (before["train"] | before["val"])
    assert before["train"] <= after["train"]
    assert not before["train"] & (after["val"] | after["test"])


def test_adding_moves_no_picture_that_has_no_copy(tmp_path):
    fill(tmp_path, 150, 3)
    before = names_by_part(read(tmp_path, split_seed=1))
    add(tmp_path, 1)
    after = names_by_part(read(tmp_path, split_seed=1))
    assert all(before[part] <= after[part] for part in before)


def test_by_order_the_same_would_not_hold(tmp_path):
    """What the test above is about."""
    fill(tmp_path, 150, 3)
    before = names_by_part(read(tmp_path, split="order"))
    add(tmp_path, 1)
    assert names_by_part(read(tmp_path, split="order"))["test"] & before["train"]


@pytest.mark.parametrize("seed", range(5))
def test_identical_bytes_share_a_part(tmp_path, seed):
    fill(tmp_path, 150, seed)
    parts = names_by_part(read(tmp_path, split_seed=seed, on_shared="error"))
    assert not parts["train"] & parts["test"]
    assert not parts["train"] & parts["val"]
    assert not parts["val"] & parts["test"]


def test_fractions_hold_about():
    names = [f"{number}.png" for number in range(20_000)]
    drawn = draw_by_name(["cat"] * len(names), names, 0, np.arange(len(names)))
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert np.mean(drawn < 0.2) == pytest.approx(0.2, abs=0.01)


def test_what_a_picture_is_drawn_by_stays_as_it_is():
    """Written down: another number would be another test set of everybody's runs."""
    drawn = draw_by_name(["cat", "cat", "émeu"], ["1.png", "a/1.png", "1.png"], 7, np.arange(3))
    assert drawn.tolist() == pytest.approx([0.5711494, 0.5490580, 0.6964363], abs=1e-6)


def test_composed_and_decomposed_letters_are_one_name():
    forms = [unicodedata.normalize(form, "émeu/ü.png") for form in ("NFC", "NFD")]
    assert forms[0] != forms[1]
    one, other = (draw_by_name([name.split("/")[0]], [name.split("/")[1]], 0, np.arange(1)) for name in forms)
    assert one == other


def test_the_test_set_does_not_depend_on_val_size(tmp_path):
    fill(tmp_path, 150, 1)
    tests = [names_by_part(read(tmp_path, val_size=size))["test"] for size in (0, 0.1, 0.3)]
    assert tests[0] == tests[1] == tests[2]


@pytest.mark.parametrize("setting", ["val_size", "test_size"])
def test_a_count_needs_order(tmp_path, setting):
    with pytest.raises(ValueError, match=rf"data.{setting}=5 is a number of images, .* or data.split=order") as caught:
        ImageFolder(str(tmp_path), split="hash", **{setting: 5})
    assert "\n" not in str(caught.value)


def test_sizes_that_leave_nothing_to_train_on_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"val_size=0.5 and data.test_size=0.5 leave nothing"):
        ImageFolder(str(tmp_path), split="hash", val_size=0.5, test_size=0.5)


def test_a_class_without_a_picture_in_a_part_is_named_with_a_seed_that_does(tmp_path):
    for number in range(12):
        draw(tmp_path / "cat" / f"{number}.png", number)
        draw(tmp_path / "dog" / f"{number}.png", 100 + number)
    seeds = {}
    for seed in range(30):
        try:
            seeds[seed] = read(tmp_path, split_seed=seed)
        except DataError as error:
            seeds[seed] = str(error)
    refused = {seed: said for seed, said in seeds.items() if isinstance(said, str)}
    assert 0 < len(refused) < 30
    for seed, said in refused.items():
        assert "leaves no picture of" in said
        better = int(said.partition("data.split_seed=")[2].split(",")[0])
        assert better == next(one for one in range(seed + 1, 10**6) if not isinstance(seeds.get(one, ""), str) or one > 29)
        assert "data.split=order" in said
    for data in seeds.values():
        if not isinstance(data, str):
            assert all(np.bincount(split.labels, minlength=2).all() for split in (data.train, data.val, data.test))


def test_val_is_cut_from_a_train_folder_by_name_too(tmp_path):
    fill(tmp_path / "train", 100, 1)
    fill(tmp_path / "test", 40, 2)
    before = names_by_part(read(tmp_path, val_size=0.2))
    add(tmp_path / "train", 2)
    after = names_by_part(read(tmp_path, val_size=0.2))
    assert before["val"] <= after["val"]
    assert before["train"] <= after["train"]
