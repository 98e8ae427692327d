"""The commands of README and docs/, run in a folder that holds what they speak of, each with small settings."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import processes
import pytest
from commands import TINY, train
from hydra.core.override_parser.overrides_parser import OverridesParser
from pages import PAGES, list_commands
from PIL import Image
from untrained_run import untrained_run

from lta.cli.quoting import quote_arguments

ELSEWHERE = {
    "trainer=gpu": "needs a GPU",
    "trainer=ddp": "tests/test_ddp.py trains with several processes",
    "hydra/launcher=slurm": "tests/test_slurm.py submits jobs",
    "weights=hub": "downloads",
    "compat=cosine": "tests/test_extension.py installs the package",
    "my_code.Cosine": "tests/test_extension.py calls such a class",
    "segmentation=": "downloads weights; tests/apply/test_segmentation.py has made-up ones",
    "project=": "asks wandb.ai; tests/dashboard has a server of its own",
    "pictures recipe=": "tests/test_own_pictures.py runs that page",
    "runs/first": "tests/test_own_pictures.py runs that page",
    "resume=runs/": "tests/run/test_resume.py",
    "--watch": "serves a page until Ctrl-C; tests/report/test_watching.py asks for it",
}
"""What is not run here, by a part of the command, and why not."""

SHOWN = sorted({(name, tuple(words)) for page in PAGES for name, words in list_commands(page.read_text())} - {("demo", ())})
RUN_HERE = [
    (name, words)
    for name, words in SHOWN
    if name != "demo" and words and "--help" not in words and not any(part in " ".join(words) for part in ELSEWHERE)
]
SMALL = {
    "run": ["recipe.epochs=1", "data.batch_size=8", "data.eval_batch_size=8", "logger=none", "trainer=cpu"]
    + [f"+trainer.limit_{part}_batches={count}" for part, count in (("train", 10), ("val", 1), ("test", 1))],
    "teach": ["size=96"],
}
SMALL_DATA = {
    "cifar10": ["data.val_size=20", "data.download=false"],
    "image_folder": ["data.image_size=64"],
    "digit_scenes": ["data.train_size=32", "data.val_size=16", "data.test_size=16"],
}

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]

pytestmark = pytest.mark.slow


def test_what_is_not_run_here_is_there():
    unused = [part for part in ELSEWHERE if not any(part in " ".join(words) for _, words in SHOWN)]
    assert not unused


def write_noise(path: Path, seed: int, size=(80, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path)


def write_mask(path: Path, size=(80, 64)):
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.new("L", size)
    mask.paste(255, (20, 10, 60, 50))
    mask.save(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the runs, pictures and masks that the pages speak of."""
    place = tmp_path_factory.mktemp("place")
    named = {word for _, words in SHOWN for word in words for word in word.split("=")[1:] if word.startswith("runs/2026")}
    small = ("model.init.scorer=author", *SMALL_DATA["digit_scenes"])
    for run in {"RUN", "my_object", *named}:
        untrained_run(place / run, *small, names="{}")
    for run, model in (("multirun/sweep/seed-0", "vgg_att3"), ("multirun/sweep-2/seed-0", "vgg")):
        train(*TINY, f"model={model}", f"hydra.run.dir={place / run}")
    for folder in ("runs", "RUNS"):
        shutil.copytree(place / "multirun/sweep", place / folder / "sweep")
    for folder, classes in (("ME", "ab"), ("ROOT", "ab"), ("photos", ("cat", "dog")), ("holiday", ("",)), ("NEW", "01")):
        for number in range(20 * len(classes)):
            write_noise(place / folder / classes[number % len(classes)] / f"{number}.jpg", number)
    rows = [f"{'ab'[number % 2]}/{number}.jpg,{'beach|dog' if number > 1 else 'dog'}" for number in range(40)]
    (place / "ROOT/labels.csv").write_text("\n".join(["file,labels", *rows]))
    for number in range(20):
        write_mask(place / f"masks/{number}.png")
    for number in range(4):
        write_mask(place / "photos/masks" / ("cat", "dog")[number % 2] / f"{number}.png")
    for name in ("photo.jpg", "street.jpg"):
        write_noise(place / name, 99)
    write_mask(place / "person.png")
    for folder in ("FOLDER", "OTHERS"):
        for number in range(4):
            write_noise(place / folder / f"images/{number}.jpg", number)
            write_mask(place / folder / f"masks/{number}.png")
        rows = [f"{number}.jpg,{number}.png,horse" for number in range(4)]
        (place / folder / "LABELS.csv").write_text("\n".join(["image,mask,class", *rows]))
    for part, count in (("train", 12), ("test", 2)):
        for number in range(10 * count):
            write_noise(place / f"data/cifar10/{part}/{CIFAR10[number % 10]}/{number}.png", number, (32, 32))
    return place


def make_small(name, words, out):
    """The command with small settings; of a sweep its first job."""
    if name != "run":
        return [*words, *SMALL.get(name, [])]
    words = [first_of(word) for word in words if word != "-m"]
    chosen = dict(word.split("=", 1) for word in words)
    of_cifar10 = chosen.get("experiment", "").startswith(("cifar10", "air", "headline", "official", "small"))
    data = chosen.get("data") or ("cifar10" if of_cifar10 else "")
    small = [*SMALL["run"], *SMALL_DATA[data or "digit_scenes"], f"hydra.run.dir={out}"]
    if not chosen.get("model", "").startswith("backbone"):
        small.append("model.width=0.0625")
    if "recipe" in chosen or "experiment" in chosen:
        small.append("preprocess=standardize" if data == "cifar10" else "seed=0")
    return [*words, *small]


def first_of(word):
    if "glob(" in word:
        return word.replace("glob(", "").replace("*", "2_dp_concat").rstrip(")")
    parsed = OverridesParser.create().parse_override(*quote_arguments([word], ()))
    return f"{word.partition('=')[0]}={next(parsed.sweep_string_iterator())}" if parsed.is_sweep_override() else word


@pytest.mark.parametrize(("name", "words"), RUN_HERE, ids=lambda part: part if isinstance(part, str) else " ".join(part))
def test_it_does_what_is_shown(place, tmp_path, name, words):
    data = {"LTA_DATA_ROOT": str(place / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = [word.replace("$LTA_DATA_ROOT", data["LTA_DATA_ROOT"]) for word in words]
    command = [sys.executable, "-m", f"lta.{name}", *make_small(name, words, tmp_path / "run")]
    if name in ("apply", "predict") and "out=" not in " ".join(words):
        command.append(f"out={tmp_path / 'out'}")
    ended = processes.run(command, cwd=place, env={**os.environ, **data})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip()
