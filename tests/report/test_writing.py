"""What the report leaves behind: whole files, and lines that steer no terminal."""

import io
import os

import pytest

from lta.report import writing


def test_files_are_replaced_whole(tmp_path):
    writing.write_files(tmp_path / "new", {"a.html": "one", "b.md": "two"})
    files = writing.write_files(tmp_path / "new", {"a.html": "é", "b.md": "b\udcff"})
    assert [file.read_text(encoding="utf-8") for file in files] == ["é", "b\\xff"]
    assert sorted(os.listdir(tmp_path / "new")) == ["a.html", "b.md"]


def test_what_was_there_stays_where_writing_fails(tmp_path, monkeypatch):
    writing.write_files(tmp_path, {"a.html": "old"})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"can't be written to --out=.*: No space left on device"):
        writing.write_files(tmp_path, {"a.html": "new"})
    assert os.listdir(tmp_path) == ["a.html"]
    assert (tmp_path / "a.html").read_text() == "old"


def test_a_folder_in_the_files_place_and_a_file_in_the_folders(tmp_path):
    (tmp_path / "a.html").mkdir()
    with pytest.raises(ValueError, match=r"a\.html is a folder"):
        writing.write_files(tmp_path, {"b.md": "x", "a.html": "y"})
    assert os.listdir(tmp_path) == ["a.html"]
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is a file; give a folder"):
        writing.write_files(tmp_path / "file", {"a.html": "y"})


def test_lines_steer_no_terminal():
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", newline="\n")
    writing.say("a\x1b[31m\nb\udcffé", out)
    out.flush()
    assert raw.getvalue() == b"a\\x1b[31m\\nb\\xff\\xe9\n"
