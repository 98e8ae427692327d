"""CIFAR is downloaded where there is none, once, and never half."""

import socket
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from cifar_stand_ins import module, pictures, refused
from torchvision import datasets

from lta.data import cifar
from lta.data.cifar import CIFAR
from lta.data.errors import DataError


@pytest.fixture
def server(source, monkeypatch):
    """The archives of `source` over HTTP; `server.asked` lists what was asked for."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(source)))
    server.asked = asked
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
    monkeypatch.setattr(datasets.CIFAR10, "url", url)
    yield server
    server.shutdown()
    server.server_close()


def test_what_is_not_there_is_downloaded_once(server, tmp_path):
    data = module(tmp_path / "new" / "root")
    assert data.coding == "official"
    assert np.array_equal(data.test.images, pictures(6, 20))
    asked = len(server.asked)
    assert asked > 0
    module(tmp_path / "new" / "root")
    assert len(server.asked) == asked
    names = sorted(path.name for path in (tmp_path / "new" / "root").iterdir())
    assert names == ["cifar-10-batches-py", "cifar-10-python.tar.gz"]


def test_nothing_is_downloaded_where_data_are(server, batches_at, root):
    batches_at()
    module(root)
    assert server.asked == []


def test_a_damaged_download_is_refused_and_leaves_nothing(server, source, root):
    (source / "cifar-10-python.tar.gz").write_bytes(b"half of it")
    assert "the download failed" in refused(root)
    assert list(root.iterdir()) == []


def test_offline_the_line_says_what_where_and_the_ways_on(tmp_path):
    started = time.monotonic()
    line = refused(tmp_path / "root")
    assert time.monotonic() - started < 5
    for part in (
        "no cifar10",
        str(tmp_path / "root"),
        "cifar-10-batches-py",
        "cifar10/train",
        "Connection refused",
        str(tmp_path / "root" / "cifar-10-python.tar.gz"),
        "data.root=",
        "LTA_DATA_ROOT",
    ):
        assert part in line
    assert not (tmp_path / "root").exists()


def test_a_server_that_does_not_answer_is_not_waited_for(root, monkeypatch):
    monkeypatch.setattr(cifar, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/a.tar.gz")
        started = time.monotonic()
        assert "timed out" in refused(root)
    assert time.monotonic() - started < 5
    assert socket.getdefaulttimeout() is None
    assert list(root.iterdir()) == []


def test_download_false_asks_nobody(server, root):
    assert "data.download=false" in refused(root, download=False)
    assert server.asked == []


def test_setup_never_downloads(server, root):
    with pytest.raises(DataError, match="no cifar10 below"):
        CIFAR("cifar10", str(root)).setup()
    assert server.asked == []
