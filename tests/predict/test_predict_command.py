"""lta.predict as a user starts it: answers of a folder of pictures, with what the network attended."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from commands import assert_refused, lta_run
from PIL import Image
from tqdm import tqdm
from untrained_run import untrained_run

import lta
from lta.predict.__main__ import predict


def lta_predict(capsys, *arguments):
    return lta_run(capsys, arguments, predict, "predict", lists=("format", "images"), sweeps=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("predict") / "run", "model.init.scorer=author")


@pytest.fixture(scope="module")
def without_maps(tmp_path_factory):
    return untrained_run(tmp_path_factory.mktemp("predict") / "late", "model=vgg_late")


def photograph(seed, size=(50, 70)):
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(noise).resize(size[::-1], Image.Resampling.BICUBIC)


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Six that can be read, in folders, and two that can't; what nobody means lies beside them."""
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.jpg", "a.png", "beach/a.jpg", "beach/2020/b 1.png", "=sum.png", "z.webp")):
        file = tmp_path / "photos" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        photograph(number, (50 + 9 * number, 70)).save(file)
    (tmp_path / "photos/empty.jpg").touch()
    (tmp_path / "photos/beach/cut.png").write_bytes((tmp_path / "photos/a.png").read_bytes()[:200])
    (tmp_path / "photos/.hidden.jpg").touch()
    (tmp_path / "photos/notes.txt").write_text("hello")
    (tmp_path / "photos/runs/first").mkdir(parents=True)
    for name in ("run.json", "config.yaml"):
        (tmp_path / "photos/runs/first" / name).touch()
    photograph(9).save(tmp_path / "photos/runs/first/panel.png")
    return tmp_path


GOOD = [
    "photos/=sum.png",
    "photos/a.jpg",
    "photos/a.png",
    "photos/beach/2020/b 1.png",
    "photos/beach/a.jpg",
    "photos/z.webp",
]


def read_rows(path="predictions/predictions.csv"):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


class Bar(tqdm):
    """It has passed all pictures, seen or not."""

    passed = 0

    def update(self, n=1):
        Bar.passed += n
        return super().update(n)


def test_a_folder_with_what_cannot_be_read(capsys, photos, run, monkeypatch):
    monkeypatch.setattr("lta.predict.answering.tqdm", Bar)
    ended = lta_predict(capsys, f"checkpoint={run}", "images=photos", "overlays=all", "batch_size=4")
    assert_refused(ended, "2 of 8 pictures were left out: predictions/skipped.csv says why; the others are answered")
    assert ended.status == 1
    assert Bar.passed == 8
    assert [row["file"] for row in read_rows()] == GOOD
    assert list(read_rows()[0]) == ["file", "label", "probability", "label_2", "probability_2", "label_3", "probability_3"]
    left = {row["file"]: row["reason"] for row in read_rows("predictions/skipped.csv")}
    assert left == {
        "photos/empty.jpg": "can't be read: empty file",
        "photos/beach/cut.png": f"can't be read: {left['photos/beach/cut.png'].partition('read: ')[2]}",
    }
    assert "left out: photos/empty.jpg can't be read: empty file" in ended.out
    assert "6 pictures (" in ended.out
    assert "images/s)" in ended.out
    drawn = sorted(path.relative_to("predictions/overlays").as_posix() for path in Path("predictions/overlays").rglob("*.*"))
    assert drawn == [
        "=sum_attention.jpg",
        "a_2_attention.jpg",
        "a_attention.jpg",
        "beach/2020/b 1_attention.jpg",
        "beach/a_attention.jpg",
        "z_attention.jpg",
    ]
    assert Image.open("predictions/sheet.png").width > 400
    assert Image.open("predictions/overlays/beach/a_attention.jpg").width > 4 * 448, "the picture and three maps"


def test_the_files_hold_what_python_says(capsys, photos, run):
    lta_predict(
        capsys, f"checkpoint={run}", "images=photos", "format=csv,jsonl", "probabilities=true", "threshold=0.9", "top=20"
    )
    found = lta.load(run).predict("photos", skip_broken=True)
    assert list(found.names) == GOOD
    assert [one.name for one in found.left_out] == ["photos/beach/cut.png", "photos/empty.jpg"]
    found.to_csv("python.csv", top=20, probabilities=True, threshold=0.9)
    assert Path("python.csv").read_bytes() == Path("predictions/predictions.csv").read_bytes()
    lines = [json.loads(line) for line in Path("predictions/predictions.jsonl").read_text().splitlines()]
    assert lines == found.to_rows(top=20, probabilities=True, threshold=0.9)
    for row, shares in zip(lines, found.probabilities.tolist(), strict=True):
        assert [row[f"p(digit {k})"] for k in range(10)] == pytest.approx(shares, abs=1e-6)
        assert [row["probability"], *(row[f"probability_{k}"] for k in range(2, 11))] == pytest.approx(
            sorted(shares, reverse=True), abs=1e-6
        )
        assert row["answer"] == (row["label"] if row["probability"] >= 0.9 else "unsure")
    plain = lta.load(run).predict(["photos/a.png", photograph(0)])
    assert plain.names == ("photos/a.png", "picture 1")
    with pytest.raises(ValueError, match=r"cut\.png can't be read"):
        lta.load(run).predict("photos")
    assert repr(found).endswith("; 2 left out")
    frame = pytest.importorskip("pandas") and found.to_pandas(threshold=0.9)
    assert list(frame.columns)[:3] == ["file", "answer", "label"]
    assert frame["label"].tolist() == found.labels


def test_unsure_ones_are_drawn_and_what_was_drawn_before_is_gone(capsys, photos, run):
    good = ["images=" + ",".join(GOOD[1:3] + GOOD[4:])]
    assert lta_predict(capsys, f"checkpoint={run}", *good, "overlays=all", "out=out", "sheet=2").status == 0
    shares = {row["file"]: float(row["probability"]) for row in read_rows("out/predictions.csv")}
    between = (sorted(shares.values())[1] + sorted(shares.values())[2]) / 2
    again = [f"checkpoint={run}", *good, "overlays=unsure", f"threshold={between}", "out=out"]
    assert_refused(
        lta_predict(capsys, *again), "out/predictions.csv already exists (and 2 more of the results): overwrite=true"
    )
    ended = lta_predict(capsys, *again, "overwrite=true", "sheet=0")
    assert ended.status == 0, ended.err
    assert "unsure 2" in ended.out
    unsure = {row["file"] for row in read_rows("out/predictions.csv") if row["answer"] == "unsure"}
    assert unsure == {file for file, share in shares.items() if share < between}
    assert len(list(Path("out/overlays").rglob("*.jpg"))) == 2
    assert not Path("out/sheet.png").exists()


def test_its_own_drawings_in_the_pictures_folder_are_no_pictures(capsys, photos, run):
    arguments = [f"checkpoint={run}", "images=photos", "out=photos", "overlays=all"]
    lta_predict(capsys, *arguments)
    first = Path("photos/predictions.csv").read_bytes()
    lta_predict(capsys, *arguments, "overwrite=true")
    assert Path("photos/predictions.csv").read_bytes() == first
    lta_predict(capsys, f"checkpoint={run}", "images=photos/[!s]*.png", "out=of_pattern")
    assert [row["file"] for row in read_rows("of_pattern/predictions.csv")] == ["photos/=sum.png", "photos/a.png"]


def test_a_network_without_maps(capsys, photos, without_maps):
    arguments = [f"checkpoint={without_maps}", "images=photos/a.jpg"]
    assert_refused(lta_predict(capsys, *arguments, "overlays=all"), "late has no attention maps; give overlays=none")
    assert_refused(lta_predict(capsys, *arguments, "levels=A"), "levels=A: ")
    ended = lta_predict(capsys, *arguments)
    assert ended.status == 0, ended.err
    assert "predictions/sheet.png (this network has no attention maps to draw)" in ended.out


def test_a_backbone(capsys, photos, tmp_path):
    pytest.importorskip("timm")
    model = ("model=backbone_att2", "model.backbone.name=resnet18", "model.backbone.weights=none", "~model.width")
    run = untrained_run(tmp_path / "run", *model, image_size=(64, 96), tiny=())
    ended = lta_predict(capsys, f"checkpoint={run}", "images=photos/beach/2020", "overlays=all", "levels=all")
    assert ended.status == 0, ended.err
    assert [row["file"] for row in read_rows()] == ["photos/beach/2020/b 1.png"]
    assert Image.open("predictions/overlays/b 1_attention.jpg").height < 448, "in the proportions that the network sees"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["images=nowhere"], "nowhere: there is no such file or folder"),
        (["images=photos/runs"], "photos/runs has no picture (a file that ends in .jpg, .png and so on)"),
        (["images=photos/empty.jpg"], "no picture could be used: photos/empty.jpg can't be read: empty file"),
        (["images=photos", "top=0"], "top=0 must be a whole number, at least 1"),
        (["images=photos", "threshold=60"], "threshold=60 must be a number from 0 to 1"),
        (["images=photos", "probabilities=yes"], "probabilities=yes must be true or false"),
        (["images=photos", "sheet=-1"], "sheet=-1 must be a whole number, at least 0"),
        (["images=photos", "batch_size=0"], "batch_size=0 must be a whole number, at least 1"),
        (["images=photos", "overlays=some"], "overlays=some is unknown; choose one of none, all, unsure"),
        (["images=photos", "overlays=unsure"], "overlays=unsure needs threshold=..., below which an answer is unsure"),
        (["images=photos", "levels=[D]"], "levels=D is unknown; choose one of A, B, C"),
        (["images=photos", "format=xlsx"], "format=xlsx is unknown; choose one of csv, jsonl"),
        (["images=photos", "format=[]"], "format=[] is unknown; choose one of csv, jsonl"),
        (["images=photos", "out=photos/notes.txt"], "out=photos/notes.txt can't be written: "),
        (["images=photos", "model=vgg_att3"], "model"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_can_be_wrong_ends_in_one_line(capsys, photos, run, arguments, says):
    ended = lta_predict(capsys, f"checkpoint={run}", *arguments)
    assert_refused(ended, says)
    assert not Path("predictions/predictions.csv").exists()


def test_a_class_called_unsure(capsys, photos, tmp_path):
    run = untrained_run(tmp_path / "run", names="unsure")
    ended = lta_predict(capsys, f"checkpoint={run}", "images=photos", "threshold=0.5")
    assert_refused(ended, "threshold=0.5: the network has a class named unsure, the word for answers below it")
