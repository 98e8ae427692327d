"""Folders as users have them: what is read of each, what is said, what is refused and how the line says what to do."""

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lta.data.errors import DataError
from lta.data.image_folder import ImageFolder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def draw(path: Path, kind: str = "PNG") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = abs(sum(number * ord(letter) for number, letter in enumerate(str(path), 1)))
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)).save(path, kind)
    return path


def fill(folder: Path, count: int = 4) -> None:
    for number in range(count):
        draw(folder / f"{number}.png")


def fill_classes(root: Path, *names: str) -> None:
    for name in names or ("cat", "dog"):
        fill(root / name)


def link(path: Path, to: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(to)


def plain(root):
    fill_classes(root)


def deep_split(root):
    for part in ("train", "test"):
        fill_classes(root / part)


def nas_folders(root):
    fill_classes(
        root, "cat", "dog", "@eaDir", "#recycle", "lost+found", "__MACOSX", "System Volume Information", "$RECYCLE.BIN"
    )
    fill_classes(root, ".AppleDouble", ".ipynb_checkpoints")
    for name in ("@eaDir", ".AppleDouble", "lost+found", ".ipynb_checkpoints", "@eadir"):
        fill(root / "cat" / name)


def nas_in_parts(root):
    for part in ("train", "test"):
        fill_classes(root / part, "cat", "dog", "@eaDir")
    fill_classes(root, "__MACOSX")


def jpeg_endings(root):
    fill_classes(root)
    for ending in (".jfif", ".jpe", ".JPG", ".JPE", ""):
        draw(root / "cat" / f"photo{ending}", "JPEG")
    (root / "cat" / "README").write_text("no picture")


def linked_class(root):
    fill_classes(root, "cat")
    fill(root.parent / "elsewhere")
    link(root / "dog", root.parent / "elsewhere")


def linked_below(root):
    fill_classes(root)
    fill(root.parent / "more")
    link(root / "cat" / "more", root.parent / "more")


def linked_pictures(root):
    fill(root.parent / "all", 4)
    for number in range(4):
        link(root / "cat" / f"{number}.png", root.parent / "all" / f"{number}.png")
    fill_classes(root, "dog")


def loop_below(root):
    fill_classes(root)
    link(root / "cat" / "again", root / "cat")
    link(root / "cat" / "up", root)


def loop_as_a_class(root):
    fill_classes(root)
    link(root / "all", root)


def pipe(root):
    fill_classes(root)
    os.mkfifo(root / "cat" / "pipe.png")
    os.mkfifo(root / "cat" / "pipe")


def pipe_beside(root):
    fill_classes(root)
    os.mkfifo(root / "pipe")


def unix_socket(root):
    fill_classes(root)
    before = Path.cwd()
    os.chdir(root / "cat")  # the path of a socket may have 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("s.png")
    finally:
        os.chdir(before)


def loose_pictures(root):
    fill_classes(root)
    fill(root, 3)


def heic_beside(root):
    fill_classes(root)
    (root / "cat" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")


def other_files(root):
    fill_classes(root)
    (root / "cat" / "Thumbs.db").write_bytes(b"x")
    (root / "cat" / "notes.txt").write_text("x")


def case_only(root):
    fill_classes(root, "Cat", "cat", "dog")


def unicode_only(root):
    fill_classes(root, "caf\u00e9", "cafe\u0301", "dog")


def split_by_valid(root):
    deep_split(root)
    fill_classes(root / "valid")


READ = [
    # layout, classes, pictures, what is said
    (plain, "cat dog", 8, ""),
    (deep_split, "cat dog", 16, ""),
    (split_by_valid, "cat dog", 24, ""),
    (nas_folders, "cat dog", 8, ""),
    (nas_in_parts, "cat dog", 16, ""),
    (jpeg_endings, "cat dog", 13, "ignoring 1 files that are not pictures by their extension (no ending 1)"),
    (linked_class, "cat dog", 8, ""),
    (linked_below, "cat dog", 12, ""),
    (linked_pictures, "cat dog", 8, ""),
    (loop_below, "cat dog", 8, "cat/again is a link to a folder that it lies in, and is left out"),
    (loop_as_a_class, "cat dog", 8, "all is a link to a folder that it lies in, and is left out"),
    (pipe, "cat dog", 8, "ignoring 2 files"),
    (pipe_beside, "cat dog", 8, ""),
    (unix_socket, "cat dog", 8, "ignoring 1 files"),
    (loose_pictures, "cat dog", 8, "3 pictures (0.png, ...) are outside the class folders and left out"),
    (heic_beside, "cat dog", 8, "1 picture (cat/IMG_1.HEIC) is of a format that is not read (.heic): install"),
    (other_files, "cat dog", 8, "(.db 1, .txt 1)"),
    (case_only, "Cat cat dog", 12, "'Cat' and 'cat' differ in letter case only: one class in two folders?"),
    (unicode_only, "cafe\u0301 caf\u00e9 dog", 12, "differ in the Unicode form of their letters (composed or not) only"),
]


@pytest.fixture(autouse=True)
def without_heif_package(monkeypatch):
    monkeypatch.setattr("lta.pictures.find.register_formats", lambda: False)


def read(root: Path, **settings) -> ImageFolder:
    own = {"split": "order", "nested": False, "on_shared": "error", "val_size": 0, "test_size": 2}
    data = ImageFolder(str(root), **{"image_size": 8, "batch_size": 2, **own, **settings})
    data.setup()
    return data


@pytest.mark.parametrize(("layout", "classes", "pictures", "said"), READ, ids=[row[0].__name__ for row in READ])
def test_what_is_read(tmp_path, caplog, layout, classes, pictures, said):
    caplog.set_level("INFO")
    root = tmp_path / "ROOT"
    root.mkdir()
    layout(root)
    data = read(root)
    assert data.class_names == tuple(classes.split())
    assert sum(len(split.labels) for split in (data.train, data.val, data.test) if split) == pictures
    assert said in caplog.text


def one_too_high(root):
    fill_classes(root / "pets")


def one_too_high_beside_a_systems(root):
    fill_classes(root / "pets")
    fill_classes(root / "__MACOSX")


def two_too_high(root):
    fill_classes(root / "data" / "pets")


def parts_too_high(root):
    deep_split(root / "pets")


def years(root):
    for year in ("2019", "2020"):
        fill_classes(root / year)


def capital_parts(root):
    for part in ("Train", "Test"):
        fill_classes(root / part)


def one_too_low(root):
    fill_classes(root.parent)
    fill(root)


def class_of_folders(root):
    fill_classes(root, "dog")
    fill_classes(root / "cat", "siamese", "persian")


def link_to_nothing(root):
    fill_classes(root)
    link(root / "newt", root / "nowhere")


def picture_link_to_nothing(root):
    fill_classes(root)
    link(root / "cat" / "9.png", root / "nowhere.png")


def only_heic(root):
    fill_classes(root, "cat", "dog")
    (root / "newt").mkdir()
    (root / "newt" / "1.heic").write_bytes(b"\0\0\0\x18ftypheic")


def no_test_folder(root):
    for part in ("train", "val"):
        fill_classes(root / part)


def unicode_between_parts(root):
    fill_classes(root / "train", "caf\u00e9", "dog")
    fill_classes(root / "test", "cafe\u0301", "dog")


def shared_with_test(root):
    deep_split(root)
    (root / "test" / "cat" / "copy.png").write_bytes((root / "train" / "cat" / "0.png").read_bytes())


REFUSED = [
    (one_too_high, "holds only one class, pets: .*; class folders lie one level further down: give data.root=ROOT/pets$"),
    (one_too_high_beside_a_systems, "only one class, pets: .* give data.root=ROOT/pets$"),
    (two_too_high, "only one class, data: .* give data.root=ROOT/data/pets$"),
    (parts_too_high, "only one class, pets: .* give data.root=ROOT/pets$"),
    (years, r"2019 holds only folders \(cat, dog\), so it is no class; .* data.root=ROOT/2019 or data.root=ROOT/2020"),
    (capital_parts, r"ROOT/Test holds only folders \(cat, dog\), so it is no class; name them train and test"),
    (one_too_low, "ROOT holds no class folders: .* give data.root=PARENT$"),
    (
        class_of_folders,
        r"cat holds only folders \(persian, siamese\), so it is no class; .*data.root=ROOT/cat; or give data.nested",
    ),
    (link_to_nothing, "newt is a link to ROOT/nowhere, which is not there; repair or remove it"),
    (picture_link_to_nothing, r"'cat/9.png' \(No such file or directory\)"),
    (only_heic, r"of newt \(1 picture \(newt/1.heic\) is of a format that is not read \(.heic\): install .*pi-heif"),
    (no_test_folder, "no folder test: .*data.no_test=cut cuts test from train .*, data.no_test=val takes val as test"),
    (unicode_between_parts, "differ in the Unicode form of their letters .* only"),
    (shared_with_test, "1 of 9 pictures of test are in train too, byte for byte; .* or give data.on_shared=allow"),
]


@pytest.mark.parametrize(("layout", "says"), REFUSED, ids=[row[0].__name__ for row in REFUSED])
def test_what_is_refused(tmp_path, layout, says):
    root = tmp_path / "ROOT"
    root.mkdir()
    layout(root)
    with pytest.raises(DataError, match=says.replace("ROOT/", f"{root}/").replace("PARENT", str(tmp_path))) as caught:
        read(root)
    assert "\n" not in str(caught.value)


def test_folders_below_a_class_belong_to_it_where_that_is_said(tmp_path):
    class_of_folders(tmp_path)
    assert read(tmp_path, nested=True).class_names == ("cat", "dog")


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    plain(tmp_path)
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("cat"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="cat can't be read: Permission denied"):
        read(tmp_path)


@pytest.mark.parametrize("split", ["hash", "order"])
def test_without_a_test_folder_test_is_cut_from_train(tmp_path, caplog, split):
    for part in ("train", "val"):
        fill(tmp_path / part / "cat", 20)
        fill(tmp_path / part / "dog", 20)
    data = read(tmp_path, no_test="cut", test_size=0.3, split=split)
    assert data.val is not None
    assert len(data.val.labels) == 40
    assert len(data.train.labels) + len(data.test.labels) == 40
    assert len(data.test.labels) > 3
    assert "has no test folder: test is cut from train" in caplog.text


def test_without_a_test_folder_val_can_be_test(tmp_path, caplog):
    for part, count in (("train", 20), ("val", 10)):
        fill(tmp_path / part / "cat", count)
        fill(tmp_path / part / "dog", count)
    data = read(tmp_path, no_test="val", val_size=0.25)
    assert data.val is not None
    assert [len(split.labels) for split in (data.train, data.val, data.test)] == [30, 10, 20]
    assert "val is used for it, and val is cut from train" in caplog.text


def test_pictures_that_train_and_val_share_are_said(tmp_path, caplog):
    split_by_valid(tmp_path)
    (tmp_path / "valid" / "cat" / "copy.png").write_bytes((tmp_path / "train" / "cat" / "0.png").read_bytes())
    read(tmp_path)
    assert "1 of 9 pictures of val are in train too, byte for byte" in caplog.text


def test_a_picture_under_two_classes_is_said(tmp_path, caplog):
    plain(tmp_path)
    (tmp_path / "dog" / "copy.png").write_bytes((tmp_path / "cat" / "0.png").read_bytes())
    read(tmp_path, on_shared="allow")
    assert "1 pictures lie in two or more class folders, byte for byte" in caplog.text


def test_allowed_copies_in_test_are_said(tmp_path, caplog):
    shared_with_test(tmp_path)
    assert len(read(tmp_path, on_shared="allow").test.labels) == 9
    assert "1 of 9 pictures of test are in train too" in caplog.text
