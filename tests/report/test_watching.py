"""The report that is served while runs go on."""

import http.client
import json
import threading

import pytest
from filelock import FileLock
from made_runs import make_run

from lta.report import __main__
from lta.report.groups import group_runs
from lta.report.page import build_report, render_html
from lta.report.plots import LINES
from lta.report.runs import read_runs
from lta.report.unfinished import read_unfinished
from lta.report.watching import Watched, serve_watched, take_state


def make_page(place):
    found, left_out = read_runs([place])
    groups, repeated = group_runs(found)
    return render_html(build_report("", "lta report", "2026-12-01", groups, [*left_out, *repeated]))


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


def make_begun(directory, metrics, **how):
    make_run(directory, "data=cifar10", "model=vgg_gap", **how)
    (directory / "results.json").unlink()
    (directory / "metrics.csv").write_bytes(metrics)
    return directory


TWO = b"epoch,val/error,train/error,attention/A/peak\n0,50,40,1.5\n1,30.5,20,2\n"


def test_an_unfinished_run_is_named_with_its_last_errors_and_its_curves_are_drawn(runs):
    make_begun(runs / "b", TWO, seed=1)
    assert __main__.main([str(runs), "--out", str(runs.parent)]) == 0
    page = (runs.parent / "report.html").read_text()
    assert "2 of 30 epochs recorded, the last with train/error 20, val/error 30.5" in page
    assert "vgg_gap, not finished: b, 2 of 30 epochs</li>" in page
    assert "running" not in page.partition("<main>")[2].partition('<h2 id="runs">')[0]
    assert "A: peak" in page, "a chart of what this run alone has recorded"
    made = json.loads((runs.parent / "report.json").read_text())["configurations"]
    assert [one["test_error"]["n"] for one in made] == [1], "in no figure"


def test_a_run_that_goes_on_is_called_running_until_its_process_ends(runs):
    begun = make_begun(runs / "b", TWO, seed=1)
    with FileLock(begun / ".lock"):
        page = make_page(runs)
        assert "vgg_gap, running: b, 2 of 30 epochs</li>" in page
        assert '<a href="#curves">1 running now</a>' in page
        state = take_state([runs])
    assert take_state([runs]) != state, "a killed run changes no file, and the page has to say it"
    assert "vgg_gap, not finished: b" in make_page(runs)


def test_a_run_that_is_the_first_of_its_data_set_has_curves(tmp_path):
    begun = make_begun(tmp_path / "runs/b", TWO)
    page = make_page(begun.parent)
    assert "<h3>cifar10</h3>" in page
    assert "Validation error: val error, % by epochs trained" in page


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (b"", "no epoch is recorded"),
        (b"epoch,val/err", "no epoch is recorded"),
        (b"epoch,val/error\n0,50\n1,", "2 of 30 epochs recorded)"),
        (b"epoch,val/error\n0,50\n1,nan,7,8\nx,3\n-1,4\n", "2 of 30 epochs recorded)"),
        (b"epoch,val/error\n0,\xff\n", "no epoch is recorded"),
        (b"epoch,val/error\n0,5\x000\n", "1 of 30 epochs recorded)"),
    ],
)
def test_a_damaged_table_of_epochs_is_read_as_far_as_it_goes(tmp_path, metrics, said):
    begun = make_begun(tmp_path / "runs/b", metrics)
    unfinished, reason = read_unfinished(begun, {"model": {}, "data": {}, "recipe": {"epochs": 30}})
    assert said in reason
    assert unfinished is not None
    assert '<h2 id="curves">' in make_page(begun.parent)


@pytest.mark.parametrize("config", [{}, {"model": 3, "data": {}}, {"model": {}, "data": {}, "recipe": {"epochs": "many"}}])
def test_how_far_a_run_of_any_configuration_came_is_said(tmp_path, config):
    (tmp_path / "metrics.csv").write_bytes(TWO)
    unfinished, reason = read_unfinished(tmp_path, config)
    assert "2 epochs recorded, the last with train/error 20" in reason
    assert unfinished is None or unfinished.epochs is None


def test_of_many_unfinished_runs_the_running_ones_are_drawn(tmp_path):
    for seed in range(LINES):
        begun = make_begun(tmp_path / f"runs/{seed:02d}", TWO, seed=seed)
    with FileLock(begun / ".lock"):
        page = make_page(begun.parent)
    assert page.count("not finished: ") == LINES - 1 + LINES // 2 - 1, "each in the last section, and those in the legend"
    assert f"running: {begun.name}, 2 of 30 epochs</li>" in page
