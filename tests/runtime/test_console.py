"""What is printed stops no command: not a pipe that nobody reads, not a stream that takes ASCII only."""

import logging
import os
import subprocess
import sys

import pytest
from commands import TINY, command, environment

from lta.runtime.console import ConsoleHandler, keep_writing

SAYS = "import sys; from lta.runtime.console import keep_writing; keep_writing(); "


def say(program, stdout=subprocess.PIPE, **more):
    """By a process whose streams are its own from the start."""
    return subprocess.run(
        [sys.executable, "-c", SAYS + program],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment() | more,
        check=False,
    )


@pytest.mark.parametrize("options", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}])
def test_what_a_stream_can_not_show_is_escaped(options):
    ended = say("print('caf\\u00e9 \\u732b \\udcff'); print('\\u732b', file=sys.stderr)", **options)
    assert ended.returncode == 0
    assert ended.stdout.startswith(b"caf")
    assert b"\\udcff" in ended.stdout
    assert b"Traceback" not in ended.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_pipe_that_nobody_reads_is_no_error(unbuffered):
    read, write = os.pipe()
    os.close(read)
    ended = say("[print('x' * 1000, flush=True) for _ in range(100)]; sys.exit(3)", write, PYTHONUNBUFFERED=unbuffered)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (3, b"")


def test_a_stream_that_was_closed_from_the_start_is_no_error():
    program = f'exec "{sys.executable}" -c "{SAYS}print(1); sys.stdout.write(str(2)); sys.exit(3)" >&-'
    ended = subprocess.run(["sh", "-c", program], stderr=subprocess.PIPE, env=environment(), check=False)
    assert (ended.returncode, ended.stderr) == (3, b"")


@pytest.mark.slow
def test_a_run_whose_output_is_not_read_comes_to_its_end(tmp_path):
    read, write = os.pipe()
    os.close(read)
    program = command(*TINY, "hydra.run.dir=run")
    ended = subprocess.run(program, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, env=environment(), check=False)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert (tmp_path / "run" / "results.json").is_file()


def test_a_line_is_there_at_once_where_the_output_is_a_file(tmp_path, monkeypatch):
    path = tmp_path / "out.txt"
    with path.open("w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", sys.stderr)  # put back afterwards
        keep_writing()
        ConsoleHandler().emit(logging.makeLogRecord({"msg": "device: cpu"}))
        assert path.read_text() == "device: cpu\n"
