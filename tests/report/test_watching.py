"""The report that is served while runs go on."""

import http.client
import json
import threading

import pytest
from made_runs import make_run

from lta.report import __main__
from lta.report.watching import Watched, serve_watched, take_state


@pytest.fixture
def runs(tmp_path):
    make_run(tmp_path / "runs/a", "data=cifar10", "model=vgg_gap")
    return tmp_path / "runs"


def test_the_state_is_another_once_a_run_went_on(runs):
    first = take_state([runs])
    assert take_state([runs]) == first
    (runs / "a/metrics.csv").write_text("epoch,val/error\n0,5\n")
    second = take_state([runs])
    make_run(runs / "b", "data=cifar10", "model=vgg_gap", seed=1)
    assert len({first, second, take_state([runs])}) == 3


def ask(server, path, host=None):
    port = server.server_address[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_it_is_served_to_this_computer_alone_and_made_anew(runs):
    made = []
    watched = Watched(
        lambda: made.append(1) or f"<html><body>{len(made)} of {len(list(runs.iterdir()))}</body></html>", [runs]
    )
    with serve_watched(watched, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert server.server_address[0] == "127.0.0.1"
        status, page = ask(server, "/")
        assert (status, page[:26]) == (200, "<html><body>1 of 1<script>")
        assert ask(server, "/")[1] == page, "nothing has changed: it is not made again"
        state = ask(server, "/state")[1]
        assert f'const made = "{state}";' in page
        make_run(runs / "b", "data=cifar10", "model=vgg_gap", seed=1)
        assert ask(server, "/state")[1] != state, "so the page reloads"
        assert ask(server, "/")[1].startswith("<html><body>2 of 2<script>")
        assert ask(server, "/", "somebody.example:80")[0] == 403
        assert ask(server, "/report.html")[0] == 404
        with pytest.raises(ValueError, match=r"--port=\d+ can't be used: "):
            serve_watched(watched, server.server_address[1])
        server.shutdown()


def test_what_can_not_be_reported_is_said_on_the_page(runs):
    def fail():
        raise ValueError("no run <there>")

    page = Watched(fail, [runs]).get_page().decode()
    assert "<p>no run &lt;there&gt;</p><script>" in page


def test_the_command_refuses_what_it_would_not_do(runs, tmp_path, capsys):
    assert __main__.main([str(runs), "--watch", "--tables", "csv"]) == 1
    assert "--tables writes files, and --watch serves a page" in capsys.readouterr().err
    assert __main__.main([str(tmp_path / "nothing"), "--watch"]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_an_unfinished_run_is_named_with_its_last_errors(runs):
    make_run(runs / "b", "data=cifar10", "model=vgg_gap", seed=1)
    (runs / "b/results.json").unlink()
    (runs / "b/metrics.csv").write_text("epoch,val/error,train/error\n0,50,40\n1,30.5,20\n")
    assert __main__.main([str(runs), "--out", str(runs.parent)]) == 0
    assert "2 epochs recorded, the last with train/error 20, val/error 30.5" in (runs.parent / "report.html").read_text()
    assert json.loads((runs.parent / "report.json").read_text())["configurations"]
