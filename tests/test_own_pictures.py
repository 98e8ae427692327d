"""A new user's day, from the wheel and outside the checkout: the commands of the page on own pictures, in its order."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from pages import ROOT, list_blocks, list_commands
from PIL import Image, ImageOps
from wheels import install_wheel, run_installed

PAGE = (ROOT / "docs/guide/your_own_pictures.md").read_text()
CLASSES = {"mug": (200, 40, 40), "plant": (40, 160, 60), "shoe": (50, 60, 200)}
QUICK = {"run": ["recipe.epochs=6", "data.image_size=96", "recipe.lr=5e-3", "trainer=cpu", "logger=csv"]}
"""What is added to the page's commands: smaller pictures, fewer epochs at a higher rate."""

pytestmark = pytest.mark.slow


def write_pictures(folder: Path, count: int, seed: int):
    """Blots of a class's colour on noise, in every kind of file that people have."""
    random = np.random.default_rng(seed)
    for name, colour in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            height, width = random.integers(96, 200, 2)
            pixels = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
            pixels[height // 4 : -height // 4, width // 4 : -width // 4] = colour
            write_picture(Image.fromarray(pixels), folder / name / f"{name} {number}", number % 6)


def write_picture(image: Image.Image, path: Path, kind: int):
    if kind == 0:
        turned = Image.Exif()
        turned[0x0112] = 6
        image.save(path.with_suffix(".jpg"), exif=turned)
    elif kind == 1:
        image.convert("RGBA").save(path.with_suffix(".png"))
    elif kind == 2:
        image.quantize(32).save(path.with_suffix(".gif"))
    elif kind == 3:
        image.save(path.with_suffix(".webp"), quality=90)
    elif kind == 4:
        image.convert("CMYK").save(path.with_suffix(".JPEG"))
    else:
        image.save(path.with_suffix(".bmp"))


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The folder after all of the page's commands, and what each printed."""
    pytest.importorskip("timm")
    folder = tmp_path_factory.mktemp("day")
    site = install_wheel(tmp_path_factory.mktemp("wheel"))
    write_pictures(folder / "pictures", 66, seed=0)
    write_pictures(folder / "new_pictures", 8, seed=1)
    write_pictures(folder / "later_pictures/test", 8, seed=2)
    shutil.rmtree(folder / "later_pictures/test/shoe")
    (folder / "new_pictures/cut.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    said = {}
    for name, words in list_commands(PAGE):
        ended = run_installed(site, folder, "-m", f"lta.{name}", *words, *QUICK.get(name, []))
        assert ended.returncode == (1 if name == "predict" else 0), (name, ended.stderr)
        said[name] = said.get(name, "") + ended.stdout
    (block,) = list_blocks(PAGE, "python")
    ended = run_installed(site, folder, "-c", block)
    assert ended.returncode == 0, ended.stderr
    return folder, said


def read_rows(path: Path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def test_the_page_shows_every_command_of_such_a_day():
    assert [name for name, _ in list_commands(PAGE)] == ["run", "evaluate", "report", "evaluate", "predict", "export"]


def test_a_network_is_trained_that_knows_the_colours(day):
    folder, said = day
    results = json.loads((folder / "runs/first/results.json").read_text())
    assert results["test"]["error"] < 15, "66.7 by chance"
    assert "test error" in said["run"]
    assert list((folder / "runs/first/attention").glob("epoch_*.png"))


def test_it_is_evaluated_and_reported(day):
    folder, said = day
    assert "mug" in said["evaluate"]
    assert "16 images" in said["evaluate"], "all of the later pictures"
    assert "backbone_att2" in (folder / "report/report.html").read_text()


def test_new_pictures_are_named_as_by_python(day):
    folder, _ = day
    rows = read_rows(folder / "predictions/predictions.csv")
    assert rows == read_rows(folder / "from_python.csv")
    assert len(rows) == 24
    skipped = {"file": "new_pictures/cut.png", "reason": "is no picture of a known format"}
    assert read_rows(folder / "predictions/skipped.csv") == [skipped]
    right = [Path(row["file"]).parent.name == row["label"] for row in rows]
    assert sum(right) > 18


def test_the_exported_file_names_them_alike(day):
    onnxruntime = pytest.importorskip("onnxruntime")
    folder, _ = day
    session = onnxruntime.InferenceSession(folder / "first.onnx")
    about = json.loads(session.get_modelmeta().custom_metadata_map["about"])
    height, width = about["image_size"]
    for row in read_rows(folder / "predictions/predictions.csv"):
        picture = ImageOps.exif_transpose(Image.open(folder / row["file"])).convert("RGB")
        images = np.asarray(ImageOps.fit(picture, (width, height))).transpose(2, 0, 1)[None]
        (probabilities,) = session.run(["probabilities"], {"images": images})
        assert about["class_names"][probabilities[0].argmax()] == row["label"], row["file"]
