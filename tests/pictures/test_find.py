"""Which pictures are meant, in which order, and what is made of them is called."""

from pathlib import Path

import pytest

from lta.pictures.find import find_images, find_with_places, list_extensions, name_out


@pytest.fixture
def folder(tmp_path):
    for name in (
        "p10.jpg",
        "p2.JPG",
        "p1.png",
        "notes.txt",
        ".hidden.jpg",
        "q.eps",
        "sub/s.webp",
        "sub/.h/x.png",
        ".dot/y.png",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).touch()
    return tmp_path


def names(folder, found):
    return [str(path.relative_to(folder)) for path in found]


def test_a_folders_pictures_as_people_count(folder):
    assert names(folder, find_images([folder])) == ["p1.png", "p2.JPG", "p10.jpg"]
    assert names(folder, find_images(str(folder))) == ["p1.png", "p2.JPG", "p10.jpg"]


@pytest.mark.parametrize("given", [lambda folder: f"{folder}/**", lambda folder: folder / "**"])
def test_subfolders_are_asked_for(folder, given):
    assert names(folder, find_images([given(folder)])) == ["p1.png", "p2.JPG", "p10.jpg", "sub/s.webp"]


def test_all_below_a_folder_except_in_run_directories(folder):
    for name in ("run.json", "config.yaml", "panel.png"):
        (folder / "runs/first").mkdir(parents=True, exist_ok=True)
        (folder / "runs/first" / name).touch()
    (folder / "sub/config.yaml").touch()
    below = ["p1.png", "p2.JPG", "p10.jpg", "sub/s.webp"]
    assert names(folder, find_images(folder, below=True)) == below
    assert names(folder, find_images(folder / "**")) == below
    assert names(folder, find_images(folder / "runs/first")) == ["runs/first/panel.png"], "where it is meant"


def test_where_pictures_were_looked_for(folder):
    for place, expected in (
        (folder, folder),
        (folder / "**", folder),
        (folder / "sub/s.webp", folder / "sub"),
        (folder / "s*b/*.webp", folder),
        (folder / "**/s.*", folder),
        (folder / "sub/s.*", folder / "sub"),
    ):
        found = find_with_places(place)
        assert {one.place for one in found} == {expected}, place
        assert not [one for one in found if not one.path.is_relative_to(one.place)]


def test_files_are_taken_as_given_and_each_once(folder, monkeypatch):
    (folder / "link.txt").symlink_to(folder / "p2.JPG")
    found = find_images(
        [folder / "notes.txt", folder / "p10.jpg", folder / "link.txt", folder, folder / "sub" / ".." / "p1.png"]
    )
    assert names(folder, found) == ["notes.txt", "p10.jpg", "link.txt", "p1.png"]
    monkeypatch.chdir(folder)
    assert find_images(["p1.png", "."]) == [Path(name) for name in ("p1.png", "p2.JPG", "p10.jpg")]
    monkeypatch.setenv("HOME", str(folder))
    assert find_images(["~/p1.png"]) == [folder / "p1.png"]


def test_what_is_not_there(folder):
    (folder / "empty" / "below").mkdir(parents=True)
    for place, says in (
        (folder / "no.jpg", r"no\.jpg: there is no such file or folder$"),
        (folder / "no" / "**", "no: there is no such folder$"),
        (folder / "empty", r"empty has no picture .*; .*/empty/\*\* looks in its subfolders too$"),
        (folder / "empty" / "**", r"empty has no picture \(a file that ends in \.jpg, \.png and so on\)$"),
    ):
        with pytest.raises(ValueError, match=says):
            find_images([folder / "p1.png", place])
    with pytest.raises(ValueError, match="no pictures are given"):
        find_images([])


def test_what_does_not_exist_is_a_pattern(folder):
    (folder / "[p]*.png").write_bytes((folder / "p1.png").read_bytes())
    assert find_images(folder / "[p]*.png") == [folder / "[p]*.png"]
    (folder / "[p]*.png").unlink()
    names = [path.name for path in find_images(folder / "p*.png")]
    assert names[0] == "p1.png"
    assert {path.name for path in folder.glob("p*.png")} == set(names)
    with pytest.raises(ValueError, match=r"q\*: there is no such file, and no picture whose name matches"):
        find_images(folder / "q*")


def test_endings_are_those_of_pictures_that_can_be_read():
    assert {".jpg", ".jpeg", ".png", ".webp", ".tif", ".heic", ".mpo", ".jp2"} <= list_extensions()
    assert not {".eps", ".pdf", ".h5", ".mpg", ".wmf"} & list_extensions()


def test_outputs_are_named_by_picture_and_effect():
    pictures = [Path("a/x.jpg"), Path("b/y.gif"), Path("z.TIFF")]
    assert name_out(Path("out"), pictures, "autoblur") == [
        Path("out/x_autoblur.jpg"),
        Path("out/y_autoblur.png"),
        Path("out/z_autoblur.TIFF"),
    ]
    assert name_out(Path("out"), pictures[:1], "cutout", ".png") == [Path("out/x_cutout.png")]


def test_no_two_outputs_are_alike():
    pictures = [Path(name) for name in ("a/x.jpg", "b/x.png", "c/X.bmp", "x_2.gif", "d/x.webp")]
    found = [path.name for path in name_out(Path(), pictures, "crop", ".png")]
    assert found == ["x_crop.png", "x_3_crop.png", "X_4_crop.png", "x_2_crop.png", "x_5_crop.png"]


def test_an_output_is_none_of_the_pictures(tmp_path):
    pictures = [tmp_path / "x.png", tmp_path / "x_crop.png"]
    with pytest.raises(ValueError, match=r"x_crop\.png is one of the pictures and would be overwritten; choose another"):
        name_out(tmp_path / ".", pictures, "crop")
    assert name_out(tmp_path / "out", pictures, "crop")[1] == tmp_path / "out" / "x_crop_crop.png"


def test_a_pattern_below_a_folder_with_signs_in_its_name(tmp_path, monkeypatch):
    (tmp_path / "new [2024]").mkdir()
    for name in ("a.jpg", "b.jpg", "c.png"):
        (tmp_path / "new [2024]" / name).touch()
    (tmp_path / "new 2").mkdir()
    (tmp_path / "new 2/d.jpg").touch()
    for pattern in (tmp_path / "new [2024]/*.jpg", tmp_path / "new [2024]/[ab].jpg"):
        found = find_with_places(pattern)
        assert [one.path.name for one in found] == ["a.jpg", "b.jpg"]
        assert {one.place for one in found} == {tmp_path / "new [2024]"}
    assert [path.name for path in find_images(tmp_path / "new [2]/*.jpg")] == ["d.jpg"], "no folder is called so"
    monkeypatch.chdir(tmp_path)
    assert find_images("new [2024]/*.png") == [Path("new [2024]/c.png")]
    monkeypatch.chdir(tmp_path / "new [2024]")
    assert find_images("*.png") == [Path("c.png")]


def test_a_link_that_leads_nowhere_is_not_passed_over(folder):
    (folder / "gone.jpg").symlink_to(folder / "nothing.jpg")
    assert folder / "gone.jpg" in find_images(folder)
    assert find_images(folder / "gon*") == [folder / "gone.jpg"]
    with pytest.raises(ValueError, match="there is no such file"):
        find_images(folder / "gone.jpg")
