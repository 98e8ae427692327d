"""Where the page is: an address that is free, and a folder that goes."""

import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from lta.demo.place import FIRST_PORT, check_installed, describe_reach, find_free_port, use_own_folder


@pytest.fixture
def taken():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_taken_port_is_said_and_the_first_free_one_found(taken, monkeypatch):
    with pytest.raises(ValueError, match=f"port={taken} is taken on 127.0.0.1; give another, or port=null"):
        find_free_port("127.0.0.1", taken)
    monkeypatch.setattr("lta.demo.place.FIRST_PORT", taken)
    assert find_free_port("127.0.0.1", None) > taken
    monkeypatch.setattr("lta.demo.place.PORTS", 1)
    with pytest.raises(ValueError, match=f"no port from {taken} to {taken} is free"):
        find_free_port("127.0.0.1", None)
    assert FIRST_PORT == 7860


@pytest.mark.parametrize(
    ("host", "port", "says"),
    [
        ("nowhere.invalid", 7860, "host=nowhere.invalid port=7860 can't be used"),
        ("::1", 7860, "host=::1 must be a name"),
        (7, 7860, "host=7 must be a name"),
        ("127.0.0.1", "web", "port=web must be a whole number"),
        ("127.0.0.1", 0, "port=0 must be a whole number, at least 1"),
        ("127.0.0.1", 99999, "port=99999 can't be used"),
        ("192.0.2.1", 7860, "host=192.0.2.1 port=7860 can't be used"),
    ],
)
def test_addresses_that_can_not_be(host, port, says):
    with pytest.raises(ValueError, match=says):
        find_free_port(host, port)


def test_everything_is_written_into_the_folder_and_gradios_settings_are_put_aside(monkeypatch):
    monkeypatch.setenv("GRADIO_SHARE", "True")
    monkeypatch.setenv("GRADIO_ALLOWED_PATHS", "/")
    monkeypatch.setenv("SYSTEM", "spaces")
    monkeypatch.setenv("NO_PROXY", "intern.example")
    before, where = dict(os.environ), tempfile.gettempdir()
    with suppress(KeyError), use_own_folder("10.0.0.1") as (folder, aside):
        assert aside == ["GRADIO_ALLOWED_PATHS", "GRADIO_SHARE"]
        assert not {"GRADIO_SHARE", "GRADIO_ALLOWED_PATHS", "SYSTEM"} & set(os.environ)
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        assert os.environ["NO_PROXY"] == "intern.example,127.0.0.1,localhost,10.0.0.1"
        assert Path(tempfile.gettempdir()) == folder
        (folder / "below").mkdir()
        raise KeyError
    assert not folder.exists()
    assert (dict(os.environ), tempfile.gettempdir()) == (before, where)


def test_who_can_reach_it():
    assert (
        describe_reach("127.0.0.1")
        == describe_reach("localhost")
        == describe_reach("127.0.0.2")
        == "for this computer alone"
    )
    assert "everybody" in describe_reach("0.0.0.0")
    assert "everybody" in describe_reach("192.168.1.2")


def test_what_is_missing_is_named_with_its_remedy(monkeypatch):
    check_installed()
    monkeypatch.setattr("lta.demo.place.find_spec", lambda name: None if name == "gradio" else object())
    with pytest.raises(ValueError, match=r"^lta.demo needs gradio: pip install 'lta\[demo\]'$"):
        check_installed()
