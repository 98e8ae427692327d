"""Files are whole or not at all."""

import os

import pytest

from lta.runtime.files import replace_file, replace_files, write_text


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("one_writer", [True, False])
def test_what_was_there_stays_where_the_block_fails(tmp_path, one_writer):
    def fail():
        with replace_file(tmp_path / "a", one_writer) as file:
            file.write(b"half")
            raise KeyError

    write_text(tmp_path / "a", "before")
    with pytest.raises(KeyError):
        fail()
    assert (tmp_path / "a").read_text() == "before"
    assert names(tmp_path) == ["a"]


def test_what_was_there_is_kept_where_that_is_asked_for(tmp_path):
    for number in range(3):
        with replace_file(tmp_path / "last", one_writer=True, keep=tmp_path / "previous") as file:
            file.write(str(number).encode())
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["2", "1"]


def test_what_a_kill_left_is_written_over(tmp_path):
    (tmp_path / "a.part").write_text("left by a kill, and longer")
    write_text(tmp_path / "a", "whole")
    assert (tmp_path / "a").read_text() == "whole"
    assert names(tmp_path) == ["a"]


def test_several_files_are_there_together_or_not(tmp_path, monkeypatch):
    write_text(tmp_path / "a", "before")
    synced = []

    def full(descriptor):
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            replace_files({tmp_path / "a": b"after", tmp_path / "b": b"after"})
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "before"
    replace_files({tmp_path / "a": b"after", tmp_path / "b": b"after"})
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["after", "after"]


WRITERS = {
    "one writer": lambda path, content: _write_whole(path, content, one_writer=True),
    "several writers": lambda path, content: _write_whole(path, content, one_writer=False),
    "several files": lambda path, content: replace_files({path: content}),
}


def _write_whole(path, content, one_writer):
    with replace_file(path, one_writer) as file:
        file.write(content)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_reader_never_sees_half_a_file(tmp_path, write):
    """Who has opened the one before reads that one to its end: the new one is another file, which takes the name."""
    path = tmp_path / "a"
    write(path, b"before" * 10_000)
    with path.open("rb", buffering=0) as reader:
        first = reader.read(6)
        write(path, b"after")
        rest = reader.readall()
        assert os.fstat(reader.fileno()).st_ino != path.stat().st_ino
    assert first + rest == b"before" * 10_000
    assert path.read_bytes() == b"after"
