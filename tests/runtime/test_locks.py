"""Locks that nobody else can hold, and waiting that is said."""

import os
import threading
import time
from pathlib import Path

from filelock import FileLock

from lta.runtime import locks
from lta.runtime.cache import make_machine_lock
from lta.runtime.locks import find_lock_folder, hold_lock


def test_the_folder_is_the_users_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "gettempdir", lambda: str(tmp_path))
    own = tmp_path / f"lta-{os.getuid()}"
    assert find_lock_folder(tmp_path / "other") == own
    assert own.stat().st_mode & 0o777 == 0o700
    own.chmod(0o777)
    assert find_lock_folder(tmp_path / "other") == tmp_path / "other", "others could put locks there"
    own.rmdir()
    own.symlink_to(tmp_path / "elsewhere")
    assert find_lock_folder(tmp_path / "other") == tmp_path / "other"
    assert find_lock_folder(Path("/dev/null/x")) is None
    with make_machine_lock("some"):
        pass


def test_another_users_folder_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "gettempdir", lambda: str(tmp_path))
    assert find_lock_folder(tmp_path / "other").name != "other"
    monkeypatch.setattr(locks.os, "getuid", lambda: 12345)
    (tmp_path / "lta-12345").mkdir(mode=0o700)
    assert find_lock_folder(tmp_path / "other") is None, "both are somebody else's"


def test_whom_one_waits_for_is_said(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(locks, "PATIENCE", 0.05)
    path = tmp_path / "x.lock"
    (tmp_path / "x.lock.holder").write_text(str(os.getpid()))
    inside = threading.Event()

    def hold():
        with FileLock(path):
            inside.set()
            time.sleep(0.5)

    other = threading.Thread(target=hold)
    other.start()
    inside.wait()
    with hold_lock(path, "pictures"):
        assert caplog.text.count(f"pictures: waiting for process {os.getpid()}, which holds {path}") == 1
    other.join()
    with hold_lock(path, "pictures"):
        pass
    assert caplog.text.count("waiting") == 1
