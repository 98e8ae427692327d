"""labels.csv: what it may hold, and how what it may not is refused."""

import os
import re

import numpy as np
import pytest
from PIL import Image

from lta.data.errors import DataError
from lta.data.image_folder import ImageFolder
from lta.data.label_sets import count_labels, digest_labels, number_label_sets
from lta.data.label_table import read_label_table
from lta.data.splits import balanced_choice


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))


def table(tmp_path, text, separator="|"):
    path = tmp_path / "labels.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_label_table(path, separator)


def test_names_in_one_column(tmp_path):
    found = table(tmp_path, "\ufefffile,labels\n b/2.png ,dog| cat\na/1.png,\n\n3.png,dog\n")
    assert found.class_names == ("cat", "dog")
    assert found.labels.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert found.rows == {"b/2.png": 2, "a/1.png": 3, "3.png": 5}, "an empty line counts"
    other = table(tmp_path, 'file,labels\n1.png,"dog,cat"\n2.png,dog\n', ",")
    assert other.labels.tolist() == [[1, 1], [0, 1]]


def test_a_column_for_each_class(tmp_path):
    found = table(tmp_path, "file,dog,cat\n1.png,1,0\n2.png,1, 1\n3.png,0,0\n")
    assert found.class_names == ("dog", "cat"), "in the table's order"
    assert found.labels.tolist() == [[1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (
            "image,labels\n1.png,a\n",
            "row 1 must be file,labels or file and a column for each class (comma-separated), but is",
        ),
        ("file;labels\n1.png;a\n", "but is file;labels"),
        ("file\n1.png\n", "row 1 must be"),
        ("file,labels\n", "has no rows below its first one"),
        ("file,labels\n1.png,a|b\n2.png\n", "row 3 has 1 cells, but row 1 has 2"),
        ("file,labels\n1.png,a|b\n,a\n", "row 3 names no file"),
        ("file,labels\n1.png,a|b\n2.png,a\n1.png,a\n", "row 4 names 1.png again, after row 2"),
        ("file,labels\n1.png,a||b\n", "row 2 has an empty name in 'a||b'"),
        ("file,labels\n1.png,a|b|a\n", "row 2 names a twice"),
        ("file,labels\n1.png,a|b\n2.png,a;b\n", "row 3: a label can't have ';' in it (a;b); give data.label_separator=';'?"),
        ("file,labels\n1.png,a\n2.png,\n", "its column labels names a, but at least two classes are needed"),
        ("file,cat\n1.png,1\n", "it has columns of cat, but at least two classes are needed"),
        ("file,cat,dog\n1.png,1,0\n2.png,1,yes\n", "row 3 has 'yes' for dog, which must be 0 or 1"),
        ("file,cat,dog\n1.png,1,\n", "row 2 has '' for dog, which must be 0 or 1"),
        ("file,cat,dog\n1.png,1,0\n", "no picture has dog; take the column out"),
        ("file,cat,cat\n1.png,1,0\n", "row 1 has two columns cat"),
        ("file,cat,\n1.png,1,0\n", "row 1 has a column without a name"),
        ("file,labels,cat\n1.png,1,0\n", "give either labels alone, or one column per class"),
        ("file,a|b,cat\n1.png,1,0\n", "the name of a class can't have '|' in it (a|b)"),
        ('file,labels\n1.png,"a\n', "can't be read as CSV in UTF-8"),
        (b"file,labels\n1.png,\xf6|a\n", "can't be read as CSV in UTF-8"),
    ],
)
def test_what_is_refused(tmp_path, text, said):
    with pytest.raises(DataError) as error:
        table(tmp_path, text)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def draw(root, names):
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(root / name)


def made(tmp_path, count=60, folder="", **settings):
    root = tmp_path / "shapes"
    names = [f"{folder or 'ab'[number % 2]}/{number:02}.png" for number in range(count)]
    draw(root, names)
    rows = [f"{name},{'|'.join(['dot'] * (number % 2) + ['line'] * (number % 3 == 0))}" for number, name in enumerate(names)]
    (root / "labels.csv").write_text("\n".join(["file,labels", *rows]))
    return root, lambda **more: read(root, **settings, **more)


def read(root, **settings):
    data = ImageFolder(str(root), labels="labels.csv", image_size=8, batch_size=2, cache="off", **settings)
    data.setup()
    return data


def numbers(split):
    return split.images[:, 0, 0, 0].tolist()


@pytest.mark.parametrize("split", ["hash", "order"])
def test_pictures_anywhere_are_cut_into_parts(tmp_path, split):
    _, read_all = made(tmp_path, split=split)
    data = read_all()
    assert data.several_labels
    assert data.class_names == ("dot", "line")
    parts = {"train": data.train, "val": data.val, "test": data.test}
    assert sorted(number for part in parts.values() for number in numbers(part)) == list(range(60))
    for part in parts.values():
        assert part.labels.dtype == np.uint8
        assert part.labels.tolist() == [[n % 2, int(n % 3 == 0)] for n in numbers(part)]
        assert count_labels(part.labels, 2).all(), "each part has each label"
    assert "2 labels, several a picture (dot " in data.describe()
    assert data.file_names[0] == f"a{os.sep}00.png"


def test_parts_that_are_folders(tmp_path):
    root, read_all = made(tmp_path, count=40, folder="train")
    draw(root, [f"test/{number}.png" for number in range(4)])
    with (root / "labels.csv").open("a") as file:
        file.write("\n" + "\n".join(f"test/{number}.png,dot" for number in range(4)))
    data = read_all()
    assert (len(data.train.labels) + len(data.val.labels), len(data.test.labels)) == (40, 4)
    assert data.test.labels.tolist() == [[1, 0]] * 4, "a test set may lack a label"
    draw(root, ["more/1.png"])
    with (root / "labels.csv").open("a") as file:
        file.write("\nmore/1.png,dot")
    with pytest.raises(DataError, match=r"labelled pictures lie in test, train and in more: put all of them below train"):
        read_all()


def test_rows_and_pictures_belong_together(tmp_path, caplog):
    root, read_all = made(tmp_path)
    draw(root, ["c/unlabelled.png", "masks/a/00.png"])
    Image.fromarray(np.pad(np.full((4, 4), 255, np.uint8), 2)).save(root / "masks/a/00.png")
    data = read_all()
    assert "1 picture without a row in labels.csv (c/unlabelled.png) left out" in caplog.text, "and masks are no pictures"
    assert sum(len(split.masks.known) for split in (data.train, data.val, data.test) if split.masks is not None) == 1
    with (root / "labels.csv").open("a") as file:
        file.write("\na/nothere.png,dot\na/neither.png,dot")
    with pytest.raises(DataError, match=r"row 62 names a/nothere\.png, but there is no such picture below .* \(and 1 more"):
        read_all()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (r"a\00.png", "write / between folders: a/00.png"),
        ("{root}/a/00.png", "paths begin at the folder: a/00.png"),
        ("A/00.PNG", "letters differ in case: a/00.png"),
        ("00.png", "paths begin at the folder: a/00.png"),
    ],
)
def test_a_name_as_other_programs_write_it_is_told(tmp_path, written, said):
    root, read_all = made(tmp_path)
    table = root / "labels.csv"
    table.write_text(table.read_text().replace("a/00.png", written.format(root=root), 1))
    with pytest.raises(DataError, match=rf"row \d+ names .*; {re.escape(said)}$"):
        read_all()


def test_settings_that_do_not_go_together(tmp_path):
    with pytest.raises(DataError, match=r"data\.labels: there is no .*labels\.csv; a relative path begins at data\.root"):
        read(tmp_path)
    with pytest.raises(
        ValueError, match=r"data\.balanced=true draws equally many pictures of each class, but with data\.labels"
    ):
        ImageFolder(str(tmp_path), labels="labels.csv", balanced=True)
    with pytest.raises(ValueError, match=r"data\.label_separator=; is not used without data\.labels"):
        ImageFolder(str(tmp_path), label_separator=";")
    with pytest.raises(ValueError, match=r"data\.label_separator='' must be one or more characters"):
        ImageFolder(str(tmp_path), labels="labels.csv", label_separator="")


def test_sets_of_labels(tmp_path):
    labels = np.array([[1, 0], [0, 1], [1, 0], [1, 1]], np.uint8)
    kinds = number_label_sets(labels)
    assert len(set(kinds.tolist())) == 3
    assert kinds[0] == kinds[2]
    assert sorted(balanced_choice(labels, 3).tolist()) == [0, 1, 3], "one of each set"
    root, read_all = made(tmp_path)
    before = digest_labels(read_all())
    assert digest_labels(read_all()) == before
    text = (root / "labels.csv").read_text()
    (root / "labels.csv").write_text(text.replace("a/02.png,", "a/02.png,dot"))
    assert digest_labels(read_all()) != before
