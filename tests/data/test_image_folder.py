import inspect
import re
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
from omegaconf import OmegaConf
from PIL import Image

from lta.data.errors import DataError
from lta.data.image_folder import ImageFolder
from lta.data.listing import list_images
from lta.pictures.find import find_images


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "pets"
    folder.mkdir()
    return folder


def add(folder: Path, count: int, first: int = 0) -> None:
    """Pictures of 8x8 pixels whose red value is their number, `first` and on."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number:03}.png")


def module(root: Path, **arguments) -> ImageFolder:
    data = ImageFolder(str(root), **{"image_size": 8, "batch_size": 2, **arguments})
    data.setup()
    return data


def numbers(split) -> list[int]:
    return split.images[:, 0, 0, 0].tolist()


def refused(root: Path, **arguments) -> str:
    with pytest.raises(DataError) as error:
        module(root, **arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.fixture
def one_folder(root):
    """Cats 0 to 39, dogs 40 to 59."""
    add(root / "cat", 40)
    add(root / "dog", 20, first=40)
    return root


@pytest.fixture
def split_folders(root):
    for part, first in (("train", 0), ("test", 100)):
        add(root / part / "cat", 20, first)
        add(root / part / "dog", 10, first + 20)
    return root


# One folder


def test_one_folder_is_cut_into_three_parts_that_share_nothing(one_folder):
    data = module(one_folder, val_size=6, test_size=12)
    parts = [numbers(split) for split in (data.train, data.val, data.test)]
    assert [len(part) for part in parts] == [42, 6, 12]
    assert sorted(number for part in parts for number in part) == list(range(60))


def test_labels_follow_the_sorted_class_folders_and_each_class_keeps_its_share(one_folder):
    data = module(one_folder, val_size=6, test_size=12)
    assert data.class_names == ("cat", "dog")
    for split, counts in ((data.train, [28, 14]), (data.val, [4, 2]), (data.test, [8, 4])):
        assert split.labels.tolist() == [int(number >= 40) for number in numbers(split)]
        assert np.bincount(split.labels).tolist() == counts
        assert split.labels.dtype == np.int64


def test_fractions_are_of_the_whole(one_folder):
    data = module(one_folder, val_size=0.1, test_size=0.2)
    assert [len(split.labels) for split in (data.train, data.val, data.test)] == [42, 6, 12]


def test_the_test_set_does_not_depend_on_val_size_or_seed_but_on_split_seed(one_folder):
    test = numbers(module(one_folder).test)
    assert numbers(module(one_folder, val_size=0).test) == test
    assert numbers(module(one_folder, seed=5).test) == test
    assert numbers(module(one_folder, split_seed=5).test) != test


def test_without_val_training_images_are_looked_at(one_folder):
    data = module(one_folder, val_size=0)
    assert data.val is None
    assert list(data.watched_splits) == ["train_sample"]
    assert len(data.val_dataloader()) == 1
    assert len(data.train.labels) == 48


def test_batches_come_out_of_the_loaders(one_folder):
    images, labels, _ = next(iter(module(one_folder, batch_size=5).train_dataloader()))
    assert images.shape == (5, 3, 8, 8)
    assert labels.tolist() == [int(number >= 40) for number in images[:, 0, 0, 0].tolist()]


def test_a_class_may_be_called_train(root):
    add(root / "bus", 10)
    add(root / "train", 10)
    assert module(root, test_size=4, val_size=2).class_names == ("bus", "train")


# Folders for train, val and test


def test_split_folders_are_kept_apart(split_folders):
    add(split_folders / "val" / "cat", 2, 50)
    add(split_folders / "val" / "dog", 2, 60)
    data = module(split_folders, val_size=5)
    assert numbers(data.train) == list(range(30))
    assert numbers(data.val) == [50, 51, 60, 61]
    assert numbers(data.test) == list(range(100, 130))
    assert data.test.labels.tolist() == [0] * 20 + [1] * 10


@pytest.mark.parametrize("name", ["valid", "validation"])
def test_val_has_other_names(split_folders, name):
    add(split_folders / name / "cat", 1, 50)
    add(split_folders / name / "dog", 1, 60)
    assert numbers(module(split_folders).val) == [50, 60]


@pytest.mark.parametrize("val_size", [3, 0.1])
def test_without_a_val_folder_val_is_cut_from_train(split_folders, val_size):
    data = module(split_folders, val_size=val_size)
    assert sorted(numbers(data.train) + numbers(data.val)) == list(range(30))
    assert np.bincount(data.val.labels).tolist() == [2, 1]
    assert numbers(data.test) == list(range(100, 130))


def test_without_val_nothing_is_copied_out_of_the_memory_map(split_folders):
    module(split_folders, val_size=0)
    data = module(split_folders, val_size=0)
    assert isinstance(data.train.images.base, np.memmap)


def test_prepare_data_decodes_what_another_process_then_finds(split_folders, monkeypatch):
    ImageFolder(str(split_folders), image_size=8).prepare_data()

    def decode(*_):
        raise AssertionError("decoded twice")

    monkeypatch.setattr("lta.data.image_cache.open_rgb", decode)
    assert len(module(split_folders).test.labels) == 30


# What is ignored


def test_hidden_names_and_other_files_are_ignored_and_counted(one_folder, caplog):
    caplog.set_level("INFO")
    add(one_folder / ".git", 3)
    add(one_folder / "cat" / ".thumbnails", 3)
    (one_folder / "cat" / "._000.png").write_bytes(b"resource fork")
    (one_folder / "cat" / "notes.txt").write_text("")
    (one_folder / "dog" / "labels.csv").write_text("")
    (one_folder / "README.md").write_text("")
    data = module(one_folder)
    assert data.class_names == ("cat", "dog")
    assert sum(len(split.labels) for split in (data.train, data.val, data.test)) == 60
    assert "ignoring 2 files" in caplog.text


def test_subfolders_and_capital_extensions_belong_to_the_class(root):
    add(root / "cat" / "siamese", 5)
    add(root / "dog", 5, 10)
    (root / "dog" / "010.png").rename(root / "dog" / "010.PNG")
    data = module(root, val_size=0, test_size=2)
    assert sorted(numbers(data.train) + numbers(data.test)) == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14]


# Sizes


def test_pictures_of_several_sizes_are_brought_to_image_size(root):
    for name, size in (("cat", (8, 8)), ("dog", (30, 17))):
        (root / name).mkdir()
        for number in range(4):
            Image.new("RGB", size, (number, 90, 7)).save(root / name / f"{number}.png")
    data = module(root, image_size=[6, 10], val_size=0, test_size=2)
    assert data.image_size == (6, 10)
    assert np.all(data.train.images[..., 1] == 90)


def test_image_size_from_yaml_is_understood(one_folder):
    assert module(one_folder, image_size=OmegaConf.create([6, 10])).image_size == (6, 10)


@pytest.mark.parametrize("size", [0, -3, [8], [8, 8, 3], [8, 0]])
def test_an_impossible_image_size_is_refused(one_folder, size):
    with pytest.raises(ValueError, match=re.escape(f"data.image_size={size} must be")):
        ImageFolder(str(one_folder), image_size=size)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("val_size", -1),
        ("val_size", 1.0),
        ("val_size", 2.5),
        ("val_size", True),
        ("test_size", 0),
        ("test_size", 0.0),
        ("test_size", 1.5),
    ],
)
def test_an_impossible_part_is_refused(one_folder, name, value):
    with pytest.raises(ValueError, match=re.escape(f"data.{name}={value} must be a number of images")):
        ImageFolder(str(one_folder), **{name: value})


def test_a_part_that_leaves_nothing_or_takes_nothing_is_refused(one_folder):
    assert "data.test_size=60 takes 60 of 60 images" in refused(one_folder, test_size=60)
    assert "data.val_size=50 takes 50 of 48 images" in refused(one_folder, test_size=0.2, val_size=50)
    assert "data.test_size=0.001 of 60 images is less than one image" in refused(one_folder, test_size=0.001)
    assert "data.val_size=0.001 of 60 images is less than one image" in refused(one_folder, val_size=0.001)


def test_a_class_that_would_have_no_training_image_is_named(root):
    add(root / "cat", 30)
    add(root / "dog", 1, 40)
    assert "leaves none of dog to train on" in refused(root, test_size=30, val_size=0)


# Folders that are not as they should be


def test_a_missing_root_is_named(tmp_path):
    line = refused(tmp_path / "nowhere")
    assert f"data.root={tmp_path / 'nowhere'} does not exist" in line


def test_a_file_as_root_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    assert "is not a folder" in refused(tmp_path / "file")


def test_no_classes(root):
    Image.new("RGB", (8, 8)).save(root / "loose.png")
    assert f"{root} holds no class folders" in refused(root)


def test_no_classes_in_split_folders(root):
    for part in ("train", "test"):
        (root / part).mkdir()
    assert f"{root / 'train'} holds no class folders" in refused(root)


def test_only_one_class(root):
    add(root / "cat", 10)
    assert "only one class, cat" in refused(root)


def test_pictures_with_masks_are_no_classes(root):
    add(root / "images", 10)
    add(root / "masks", 10)
    assert f"{root} holds images/ and masks/, which are not classes: python -m lta.evaluate data=mask" in refused(root)


def test_classes_without_pictures_are_named(one_folder):
    (one_folder / "newt").mkdir()
    (one_folder / "owl").mkdir()
    (one_folder / "owl" / "list.txt").write_text("")
    line = refused(one_folder)
    assert "newt, owl" in line
    assert ".jpg" in line


@pytest.mark.parametrize("missing", ["train", "test"])
def test_a_missing_part_is_named(split_folders, missing):
    (split_folders / missing).rename(split_folders / "val")
    assert f"no folder {missing}" in refused(split_folders)


def test_two_val_folders_are_refused(split_folders):
    for name in ("val", "valid"):
        add(split_folders / name / "cat", 1)
    assert "val and valid" in refused(split_folders)


@pytest.mark.parametrize("part", ["test", "val"])
def test_class_folders_that_differ_are_named(split_folders, part):
    for name in ("cat", "hound"):
        add(split_folders / part / name, 2)
    if part == "test":
        for file in (split_folders / part / "dog").iterdir():
            file.unlink()
        (split_folders / part / "dog").rmdir()
    line = refused(split_folders)
    assert f"train and {part} differ" in line
    assert "only in train: dog" in line
    assert f"only in {part}: hound" in line


# Broken pictures


def test_a_picture_that_is_none_is_named(one_folder):
    (one_folder / "cat" / "007.png").write_text("hello")
    line = refused(one_folder)
    assert "cat/007.png" in line
    assert "1 of 60" in line


def test_skipping_keeps_labels_with_their_pictures(one_folder, caplog):
    for number in (3, 45):
        (one_folder / ("cat" if number < 40 else "dog") / f"{number:03}.png").write_bytes(b"")
    for _ in range(2):  # decoded, then from the cache
        data = module(one_folder, on_broken="skip", val_size=0, test_size=10)
        assert sorted(numbers(data.train) + numbers(data.test)) == sorted(set(range(60)) - {3, 45})
        assert data.train.labels.tolist() == [int(number >= 40) for number in numbers(data.train)]
    assert "cat/003.png" in caplog.text


def test_a_class_of_broken_pictures_alone_is_named(one_folder):
    add(one_folder / "newt", 1)
    (one_folder / "newt" / "000.png").write_bytes(b"")
    assert "no readable picture is left of newt" in refused(one_folder, on_broken="skip")


def test_an_unknown_on_broken_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ValueError, match="on_broken=ignore must be one of error, skip"):
        ImageFolder(str(tmp_path), on_broken="ignore")


def test_the_yaml_gives_every_argument_of_the_class():
    conf = Path(__file__).parents[2] / "conf" / "data" / "image_folder.yaml"
    keys = set(OmegaConf.load(conf)) - {"defaults", "_target_"}
    assert keys == set(inspect.signature(ImageFolder).parameters)


@pytest.mark.parametrize("part", ["", "test"])
def test_all_pictures_may_be_for_the_test(root, part):
    """As `lta evaluate` asks for, on new pictures: of some of the classes, with or without a folder `test` around them."""
    add(root / part / "cat", 3)
    data = module(root, test_size="all")
    assert (data.class_names, len(data.train.labels), data.val) == (("cat",), 0, None)
    assert sorted(numbers(data.test)) == [0, 1, 2]
    assert data.image_size == (8, 8)
    add(root / part / "dog", 2, first=3)
    assert sorted(numbers(module(root, test_size="all").test)) == [0, 1, 2, 3, 4]


def test_what_is_all_for_the_test_is_not_trained_on(root):
    add(root / "test" / "cat", 1)
    data = ImageFolder(str(root), test_size="all")
    data.trainer = pl.Trainer(logger=False)
    with pytest.raises(DataError, match=r"data\.test_size=all leaves no picture to train on"):
        data.prepare_data()
    assert "lta evaluate takes data.test_size=all" in refused(root)
    with pytest.raises(ValueError, match=r"data.test_size=every must be .* or all"):
        ImageFolder(str(root), test_size="every")


def test_a_run_that_only_begins_is_no_class(one_folder):
    """As where the command is given in the folder of the pictures, for the first time."""
    begun = one_folder / "runs" / "first"
    begun.mkdir(parents=True)
    for name in (".lock", "run.log"):
        (begun / name).touch()
    assert module(one_folder).class_names == ("cat", "dog")


def test_runs_beside_the_classes_are_no_class(one_folder, caplog):
    for place in ("runs/first", "multirun/sweep/job"):
        add(one_folder / place / "attention", 1)
        for name in ("run.json", "config.yaml"):
            (one_folder / place / name).touch()
    caplog.set_level("INFO")
    data = module(one_folder, nested=False, val_size=0.2)
    assert data.class_names == ("cat", "dog")
    assert f"{one_folder / 'multirun'} holds results of lta, so it is not used as a class" in caplog.text
    add(one_folder / "runs", 20, first=100)
    assert module(one_folder).class_names == ("cat", "dog", "runs"), "where it has pictures of its own, it is one"


def test_predictions_beside_the_classes_are_no_class(one_folder, tmp_path_factory):
    """`lta predict images=.` in that folder writes `predictions/`; what it has drawn is never a picture to learn from."""
    out = one_folder / "predictions"
    add(out / "overlays" / "cat", 2)
    add(out, 1)
    (out / "000.png").rename(out / "sheet.png")
    assert module(one_folder).class_names == ("cat", "dog", "predictions"), "without a table, nobody knows"
    (out / "predictions.csv").touch()
    assert module(one_folder).class_names == ("cat", "dog")
    assert {path.parent.name for path in find_images(f"{one_folder}/**")} == {"cat", "dog"}
    for name in ("predictions.jsonl", "sheet.png"):
        (one_folder / "cat" / name).write_bytes((out / "sheet.png").read_bytes())
    assert sum(name.startswith("cat") for name in list_images(one_folder).names) == 40, "also among the pictures"
