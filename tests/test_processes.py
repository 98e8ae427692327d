"""What a command started by `processes` starts itself: forked where that makes no difference, else by the interpreter."""

import json
import sys

import processes
import pytest
from commands import environment
from forked import CLONE

SAYS = """
import json, os, sys
print(json.dumps([os.getppid(), "torch" in sys.modules, sys.argv[1:], os.getcwd(), os.getsid(0), sys.stdin.read()]))
print("wrong", file=sys.stderr)
sys.exit(3)
"""

STARTS = """
import json, os, subprocess, sys
options = json.loads(sys.argv[2])
options["env"] = {**os.environ, **options.get("env", {})}
command = [sys.executable, *options.pop("flags", []), "-c", sys.argv[1], "a b"]
ended = subprocess.run(command, input="typed", capture_output=True, text=True, **options)
print(json.dumps([os.getpid(), os.getsid(0), ended.returncode, ended.stderr, json.loads(ended.stdout)]))
"""


def start(directory, **options):
    command = [sys.executable, "-c", STARTS, SAYS, json.dumps(options)]
    return json.loads(processes.run(command, cwd=directory, env=environment(), check=True).stdout)


@pytest.mark.parametrize(
    ("options", "forked"),
    [
        ({}, True),
        ({"start_new_session": True}, True),
        ({"env": {"PYTHONUNBUFFERED": "1"}}, True),
        ({"flags": ["-u"]}, True),
        ({"flags": ["-P"]}, False),
        ({"env": {"PYTHONHASHSEED": "1"}}, False),
        ({"env": {"OMP_NUM_THREADS": "2"}}, False),
    ],
    ids=str,
)
def test_a_child_is_a_commands_own(tmp_path, options, forked):
    (tmp_path / "below").mkdir()
    pid, session, status, said, child = start(tmp_path, cwd="below", **options)
    parent, with_torch, arguments, directory, its_session, typed = child
    assert (status, said) == (3, "wrong\n")
    assert (parent, arguments, typed) == (pid, ["a b"], "typed")
    assert directory == str(tmp_path / "below")
    assert (its_session == session) == ("start_new_session" not in options)
    assert with_torch == (forked and CLONE is not None)


ENDS = """
import atexit, sys, threading, time
atexit.register(print, "exit")
threading.Thread(target=lambda: time.sleep(0.1) or print("thread")).start()
print("main")
"""


@pytest.mark.parametrize(
    ("last", "status", "said"),
    [
        ("", 0, ""),
        ("sys.exit(259)", 3, ""),
        ("sys.exit('a text')", 1, "a text\n"),
        ("raise ValueError('wrong')", 1, "ValueError: wrong\n"),
    ],
)
def test_a_command_ends_as_python_does(last, status, said):
    ended = processes.run([sys.executable, "-c", ENDS + last])
    assert (ended.returncode, ended.stdout.split()) == (status, ["main", "thread", "exit"])
    assert ended.stderr.endswith(said)
