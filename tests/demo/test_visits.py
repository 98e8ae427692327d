"""What is kept for open pages goes when they do."""

import threading
import time

from lta.demo.visits import Visit, Visits


def made(visit, folder, number=0):
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"")
    visit.keep(number, folder)


def test_the_page_that_was_used_least_recently_is_forgotten_with_its_files(tmp_path):
    visits = Visits(most=2)
    first, second = visits.get_visit("first"), visits.get_visit("second")
    made(first, tmp_path / "first")
    made(second, tmp_path / "second")
    assert visits.get_visit("first") is first
    visits.get_visit("third")
    assert len(visits) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["first"]
    assert visits.get_visit("first") is first
    assert visits.get_visit("second") is not second


def test_leaving_and_time_remove_it(tmp_path):
    visits = Visits(idle=100)
    made(visits.get_visit("left"), tmp_path / "left")
    made(visits.get_visit("idle"), tmp_path / "idle")
    visits.get_visit("used")
    visits.forget("left")
    visits.forget("left")
    visits.forget(None)
    assert [path.name for path in tmp_path.iterdir()] == ["idle"]
    visits.get_visit("idle").used -= 101
    visits.forget_idle()
    assert len(visits) == 1
    assert not list(tmp_path.iterdir())
    assert visits.get_visit("used").used <= time.monotonic()


def test_each_network_keeps_its_last_file_and_what_comes_too_late_is_removed(tmp_path):
    visit = Visit()
    for name, number in (("a", 0), ("b", 1), ("c", 0)):
        made(visit, tmp_path / name, number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "c"]
    visit.leave()
    made(visit, tmp_path / "late")
    assert not list(tmp_path.iterdir())


def test_the_end_waits_for_what_is_being_computed():
    visits = Visits()
    busy = visits.get_visit("busy")
    visits.get_visit("idle")
    assert visits.wait_until_idle(0)
    busy.lock.acquire()
    assert not visits.wait_until_idle(0.01)
    threading.Timer(0.1, busy.lock.release).start()
    assert visits.wait_until_idle(10)
    assert busy.lock.acquire(timeout=0), "it is left as it was"


def test_as_a_context_it_waits_at_its_end():
    with Visits() as visits:
        busy = visits.get_visit("busy")
        busy.lock.acquire()
        threading.Timer(0.2, busy.lock.release).start()
    assert not busy.lock.locked()
