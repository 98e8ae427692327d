"""A plain LightningDataModule of somebody's own: what is taken as it is, and what is refused in one line."""

import random
import sys
from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from commands import assert_refused, lta_run
from networks import TINY_VGG, composed
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, SubsetRandomSampler, TensorDataset, random_split

from lta import testing
from lta.data.adapted import adapt
from lta.data.digit_scenes import DigitScenes
from lta.data.errors import DataError
from lta.data.fingerprint import check_unchanged, check_untrained, take_fingerprint, write_fingerprint
from lta.instantiate import build
from lta.training.classifier import Classifier
from lta.training.losses import CrossEntropy
from lta.training.recipes import SGDRecipe
from lta.training.trainer import build_trainer
from lta.transforms.normalize import Standardize

SIDE = 32
"""Of the pictures."""

PIXELS = torch.randint(0, 256, (24, 3, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(24) % 3


class Pairs(Dataset):
    """Items as `of` makes them of pixels (3, H, W)."""

    def __init__(self, of=lambda pixels: pixels, labels=LABELS, pixels=PIXELS):
        self.of, self.labels, self.pixels = of, labels, pixels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, number):
        return self.of(self.pixels[number]), self.labels[number]


class Plain(pl.LightningDataModule):
    """The least that Lightning asks for."""

    class_names = ("a", "b", "c")

    def __init__(self, train=None, test=None, **loading):
        super().__init__()
        self.sets = {"train": Pairs() if train is None else train, "test": test or Pairs()}
        self.loading = {"batch_size": 4} | loading

    def train_dataloader(self):
        return DataLoader(self.sets["train"], **self.loading)

    def test_dataloader(self):
        return DataLoader(self.sets["test"], batch_size=5)


def read(module, seed=0):
    data = adapt(module, {}, seed)
    data.read()
    return data


def rows(pixels):
    return pixels.permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    "of",
    [
        lambda pixels: pixels,
        lambda pixels: pixels / 255,
        lambda pixels: pixels.double() / 255,
        rows,
        lambda pixels: rows(pixels) / np.float32(255),
        lambda pixels: Image.fromarray(rows(pixels)),
    ],
    ids=["uint8", "float", "double", "array", "float array", "PIL"],
)
def test_pictures_in_any_usual_form_are_taken_as_they_are(of):
    data = read(Plain(Pairs(of)))
    assert data.train.images.dtype == np.uint8
    np.testing.assert_array_equal(data.train.images, PIXELS.permute(0, 2, 3, 1).numpy())
    np.testing.assert_array_equal(data.train.labels, LABELS.numpy())
    assert (data.class_names, data.image_size, data.val) == (("a", "b", "c"), (SIDE, SIDE), None)
    assert (data.batch_size, data.eval_batch_size) == (4, 5)
    assert list(data.watched_splits) == ["train_sample"], "without a validation set"


@pytest.mark.parametrize(
    "of",
    [lambda pixels: pixels[:1], lambda pixels: rows(pixels)[..., 0], lambda pixels: Image.fromarray(rows(pixels)[..., 0])],
)
def test_grey_becomes_three_channels(of):
    images = read(Plain(Pairs(of))).train.images
    assert all(np.array_equal(images[..., channel], PIXELS[:, 0].numpy()) for channel in range(3))


def test_labels_of_any_kind_of_number():
    for labels in (LABELS.tolist(), LABELS.numpy().astype(np.int16), LABELS[:, None]):
        np.testing.assert_array_equal(read(Plain(Pairs(labels=labels))).train.labels, LABELS.numpy())


def test_ltas_own_data_stay_what_they_are():
    data = DigitScenes(train_size=8, val_size=4, test_size=4)
    assert adapt(data, {"train_size": 8}) is data


def test_lightnings_own_way_from_data_sets():
    sets = [Pairs(), Pairs(), Pairs()]
    for dataset in sets:
        dataset.classes = ["x", "y", "z"]  # as torchvision's
    data = read(pl.LightningDataModule.from_datasets(Subset(sets[0], range(6)), sets[1], sets[2], batch_size=3))
    assert (data.class_names, len(data.train.labels), len(data.val.labels), data.batch_size) == (("x", "y", "z"), 6, 24, 3)


def test_a_data_set_that_is_only_gone_through():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter(Pairs())

    np.testing.assert_array_equal(read(Plain(Stream())).train.labels, LABELS.numpy())


class Splitting(Plain):
    def setup(self, stage):
        if stage == "fit":
            self.cut = random_split(Pairs(), [18, 6])
            self.numbers = random.random(), np.random.rand()  # noqa: NPY002

    def train_dataloader(self):
        return DataLoader(self.cut[0], batch_size=4, shuffle=True)

    def val_dataloader(self):
        return [DataLoader(self.cut[1])]


def test_a_validation_set_cut_at_random_is_always_the_same_one():
    torch.manual_seed(1)
    first = read(Splitting())
    torch.manual_seed(2)
    expected = torch.rand(1)
    torch.manual_seed(2)
    second = read(Splitting(), seed=5)
    assert torch.rand(1) == expected, "nobody else's random numbers are touched"
    assert first.module.numbers == second.module.numbers
    np.testing.assert_array_equal(first.val.images, second.val.images)
    assert len(first.val.labels) == 6
    together = np.concatenate([first.train.images, first.val.images]).reshape(24, -1)
    assert len(np.unique(together, axis=0)) == 24, "each picture in one of them"
    orders = [np.concatenate(list(data.train_dataloader().sampler)) for data in (first, second)]
    assert not np.array_equal(*orders), "the order of training is that of lta, by seed"


def test_ones_own_pytest_can_hold_it_against_the_contract():
    class Apart(Plain):
        def __init__(self, shared=False):
            super().__init__(Pairs(), Pairs(pixels=PIXELS if shared else 255 - PIXELS))

    testing.check_data(Apart)
    with pytest.raises(AssertionError, match="24 of 24 pictures of test are in train too"):
        testing.check_data(partial(Apart, shared=True))


def test_it_is_prepared_and_read_once():
    done = []

    class Counting(Plain):
        def prepare_data(self):
            done.append("prepared")

        def setup(self, stage):
            done.append(stage)

    data = read(Counting())
    data.read()
    data.setup("fit")
    assert done == ["prepared", "fit", "test"]


class Nameless(Plain):
    class_names = None


class Once(Plain):
    class_names = ("a", "a", "c")


class Untested(Plain):
    test_dataloader = pl.LightningDataModule.test_dataloader


class Untrained(Plain):
    def train_dataloader(self):
        return None


class Batched(Plain):
    def on_after_batch_transfer(self, batch, index):
        return batch


class Odd(Plain):
    def val_dataloader(self):
        return [DataLoader(Pairs()), DataLoader(Pairs())]


class Listed(Plain):
    def val_dataloader(self):
        return [(PIXELS, LABELS)]


def mirrored(pixels):
    return pixels.flip(2) if torch.rand(()) < 0.5 else pixels


def grown(pixels):
    return torch.nn.functional.pad(pixels, (0, int(pixels[0, 0, 0] % 2)))


CHANCE = SubsetRandomSampler(range(6))


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (Nameless(), "Nameless has no class names: give it `class_names`, a list"),
        (Once(), "Once has class names that are not two or more different ones in a list: ('a', 'a', 'c')"),
        (Untested(), "Untested has no test split: it has no test_dataloader"),
        (Untrained(), "Untrained has no train split"),
        (Batched(), "Batched has on_after_batch_transfer of its own, which lta does not call"),
        (Odd(), "Odd has 2 loaders from val_dataloader: lta takes one"),
        (Listed(), "Listed has a tuple from val_dataloader, and lta reads a torch DataLoader's data set"),
        (Plain(sampler=CHANCE), "chooses among its items (SubsetRandomSampler): lta reads all, so use a Subset"),
        (Plain(batch_size=None), "Plain has no batch_size in its train_dataloader"),
        (Plain(collate_fn=list), "Plain has a collate_fn of its own in its train_dataloader, which lta does not call"),
        (Plain(Pairs(mirrored)), "Plain has training images that change when read again: leave random changes to augment="),
        (Plain(Pairs(lambda one: one / 255 * 4 - 2)), "(image 0 of train): floats must be from 0 to 1"),
        (Plain(Pairs(lambda one: one * torch.nan)), "Plain has images from nan to nan (image 0 of train)"),
        (Plain(Pairs(lambda one: one.long())), "Plain has images of int64 (image 0 of train): lta takes uint8"),
        (Plain(Pairs(lambda one: one[:2])), "image 0 of train has the shape (2, 32, 32); tensors are (C, H, W)"),
        (Plain(Pairs(str)), "Plain has no pictures: image 0 of train is a str; lta takes PIL images"),
        (Plain(Pairs(grown)), "Plain has images of several sizes (32x"),
        (
            Plain(test=Pairs(lambda one: one[:, :31])),
            "Plain has images of 32x32 in train and 31x32 in test: all must have one size",
        ),
        (Plain(test=Pairs(labels=LABELS + 1)), "labels out of range: label 2 of test is 3, and there are 3 class names"),
        (Plain(Pairs(labels=LABELS - 1)), "labels out of range: label 0 of train is -1"),
        (Plain(Pairs(labels=LABELS.float())), "labels that are not whole numbers: label 0 of train is a Tensor"),
        (Plain(Pairs(labels=torch.eye(3)[LABELS])), "label 0 of train is a Tensor of the shape (3,) and torch.float32"),
        (Plain(TensorDataset(PIXELS)), "no pairs (image, label): item 0 of train is a tuple"),
        (Plain(Pairs(labels=[])), "Plain has no images in train"),
    ],
)
def test_what_is_missing_or_wrong_is_named_in_one_line(module, says):
    with pytest.raises(DataError) as caught:
        read(module)
    assert says in str(caught.value)
    assert str(caught.value).startswith("data: ")
    assert "\n" not in str(caught.value)


def test_a_batch_size_that_was_given_is_the_one():
    data = adapt(Plain(batch_size=3), {"_target_": "Plain", "batch_size": 6})
    data.read()
    assert data.batch_size == 6
    assert len(next(iter(data.train_dataloader()))[1]) == 6


def test_settings_that_nothing_would_read_are_refused():
    """Lightning's own __init__ takes them without a word."""
    module = pl.LightningDataModule.from_datasets(Pairs(), test_dataset=Pairs())
    name = "pytorch_lightning.LightningDataModule"
    assert adapt(module, {"_target_": f"{name}.from_datasets", "num_workers": 0}).module is module
    with pytest.raises(DataError, match=r"^data\.val_size, data\.rot: LightningDataModule has no __init__, and would"):
        adapt(module, {"_target_": name, "val_size": 0, "rot": 1})


def test_what_is_no_data_module_at_all():
    with pytest.raises(DataError, match="makes a list: it must be a LightningDataModule"):
        adapt([1], {})


def test_a_network_is_trained_on_it(tmp_path):
    data = adapt(Splitting(), {}, seed=3)
    data.trainer = trainer = build_trainer(1, str(tmp_path), accelerator="cpu", precision="32-true")
    data.make_ready()
    network = build(composed("model=vgg_att1", *TINY_VGG).model)(num_classes=data.num_classes)
    parts = (Standardize(), torch.nn.Identity(), SGDRecipe(epochs=1), CrossEntropy(), data.class_names)
    classifier = Classifier(network, *parts)
    classifier.fit_input(data.train.images)
    trainer.fit(classifier, datamodule=data)
    assert trainer.global_step == 4, "18 pictures, 4 at a time, without the last two"
    assert {"train/loss", "val/error"} <= set(trainer.callback_metrics)
    trainer.test(classifier, datamodule=data, verbose=False)
    assert 0 <= trainer.callback_metrics["test/error"] <= 100


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder with a data set of somebody's own: a module and one yaml."""
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "mine.yaml").write_text(
        "defaults: [_self_, {/recipe/kind@_global_: '${recipe}/photographs'}]\n_target_: mine_of_test.Mine\n"
    )
    (tmp_path / "mine_of_test.py").write_text(
        "import torch, pytorch_lightning as pl\n"
        "from torch.utils.data import DataLoader, TensorDataset\n"
        "class Mine(pl.LightningDataModule):\n"
        "    classes = ['left', 'right']\n"
        "    def _loader(self):\n"
        "        seed = torch.Generator().manual_seed(0)\n"
        "        images = torch.randint(0, 256, (32, 3, 32, 32), dtype=torch.uint8, generator=seed)\n"
        "        return DataLoader(TensorDataset(images, torch.arange(32) % 2), batch_size=16)\n"
        "    train_dataloader = val_dataloader = test_dataloader = _loader\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("mine_of_test", None)


SMALL = ["model.width=0.0625", "recipe.epochs=1", "logger=none", "trainer=cpu", "callbacks.attention_maps.images=2"]


def test_it_is_trained_on_by_a_yaml_of_ones_own(outside, capsys, monkeypatch):
    monkeypatch.chdir(outside)
    ended = lta_run(capsys, ["-cd", "conf", "data=mine", *SMALL, "hydra.run.dir=run"])
    assert ended.status == 0, ended.err
    assert (
        "2 classes (left, right); 32 training, 32 validation, 32 test images of 32 x 32"
        in (outside / "run" / "run.log").read_text()
    )
    assert "test error" in ended.out


def test_a_yaml_without_a_kind_of_pictures_is_refused(outside, capsys, monkeypatch):
    monkeypatch.chdir(outside)
    (outside / "conf" / "data" / "mine.yaml").write_text("_target_: mine_of_test.Mine\n")
    ended = lta_run(capsys, ["-cd", "conf", "data=mine", *SMALL, "hydra.run.dir=run"])
    assert_refused(ended, "names no kind of pictures: its defaults need a line /recipe/kind@_global_")


def test_its_pictures_are_known_again_by_their_pixels():
    """Whatever their order; test pictures that were trained on are noticed."""
    written = write_fingerprint(take_fingerprint(read(Plain(Subset(Pairs(), range(16)), Subset(Pairs(), range(16, 24))))))
    turned = read(Plain(Subset(Pairs(), range(15, -1, -1)), Subset(Pairs(), range(16, 24))))
    assert check_unchanged(written, turned) == ""
    other = read(Plain(Subset(Pairs(), range(16)), Subset(Pairs(), range(14, 24))))
    with pytest.raises(DataError, match="the pictures have changed since the run began"):
        check_unchanged(written, other)
    with pytest.raises(DataError, match="2 of 10 test pictures were in training or validation"):
        check_untrained(written, other, same_names=True)
