"""`benchmarks/gpu_day.py`: calls that end in time, go on where the last one ended, and keep what each stage found."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import gpu_figures
import processes
import pytest
import torch
from commands import environment
from untrained_run import untrained_run

import lta

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


class Day:
    """Calls of one day, of stages that are functions here."""

    def __init__(self, folder):
        from gpu_stages.settings import make_settings

        self.folder, self.settings = folder, make_settings(folder, dry_run=True)

    def call(self, *stages, seconds=60.0):
        """The lines that were said."""
        from gpu_stages.calls import Clock, run_stages
        from gpu_stages.summary import Summary

        lines = []
        summary = Summary(self.folder, dry_run=True)
        summary.begin_call(seconds / 60)
        run_stages(stages, self.settings, summary, Clock(seconds), lines.append)
        return lines

    @property
    def stages(self):
        return json.loads((self.folder / "gpu_day.json").read_text())["stages"]


@pytest.fixture
def day(tmp_path):
    return Day(tmp_path)


def stage(name, run=lambda settings, seconds: {"value": 1}, seconds=1.0, kind="kind", least=None):
    from gpu_stages.stage import Stage

    return Stage(name, f"what {name} is", seconds, kind, run, least)


def test_what_does_not_fit_is_skipped_and_said_and_what_follows_goes_on(day):
    long, short = stage("long", seconds=100), stage("short")
    said = day.call(long, short)
    assert said[0].startswith("-- long: skipped, it takes about 100 s and 5")
    assert said[1].startswith("== short: what short is; about 1 s, 5")
    assert {name: one["state"] for name, one in day.stages.items()} == {"long": "skipped", "short": "done"}
    assert day.stages["short"]["found"] == {"value": 1}
    said = day.call(long, short, seconds=200)
    assert said[0].startswith("== long")
    assert said[-1] == "-- short: done before"
    assert day.stages["long"]["state"] == "done"
    assert len(json.loads((day.folder / "gpu_day.json").read_text())["calls"]) == 2


def test_estimates_follow_what_was_seen_of_the_same_kind(day, monkeypatch):
    from gpu_stages import calls

    now = [0.0]
    monkeypatch.setattr(calls.time, "monotonic", lambda: now[0])

    def take(seconds):
        return lambda *_: now.__setitem__(0, now[0] + seconds) or {}

    stages = [stage("a", take(6), 2), stage("b", take(1), 5), stage("other", take(1), 5, kind="another")]
    said = day.call(*stages)
    assert [line.partition("about ")[2].partition(" s")[0] for line in said if line[:2] == "=="] == ["2", "15", "5"]


def test_a_stage_that_fails_is_recorded_and_tried_again_last(day):
    def fail(settings, seconds):
        raise RuntimeError("no such kernel\nand more of it")

    day.call(stage("first", fail), stage("second"))
    assert day.stages["first"]["error"] == "RuntimeError: no such kernel ... and more of it"
    assert "and more of it" in (day.folder / "first.error.txt").read_text()
    assert day.stages["second"]["state"] == "done"
    said = day.call(stage("first"), stage("third"))
    assert [line.split()[1] for line in said if line[:2] == "=="] == ["third:", "first:"]
    assert day.stages["first"]["state"] == "done"
    assert "error" not in day.stages["first"]


def test_an_error_is_one_line_without_folders():
    from gpu_stages.calls import describe_error

    error = ValueError(
        "/usr/bin/python -m lta.run a=/some/where/b.json ended with 1:\nTraceback\nerror: no b.json, 3/4 done\n"
    )
    assert describe_error(error) == "ValueError: python -m lta.run a=b.json ended with 1: ... error: no b.json, 3/4 done"
    assert describe_error(RuntimeError()) == "RuntimeError: "


def test_what_is_absent_is_said_and_asked_again(day):
    from gpu_stages.stage import Absent

    def ask(settings, seconds):
        raise Absent("no CIFAR-10 here")

    assert day.call(stage("one", ask))[-1].endswith("s: no CIFAR-10 here")
    assert day.stages["one"]["state"] == "absent"
    day.call(stage("one"))
    assert day.stages["one"]["state"] == "done"


def test_a_training_goes_on_in_the_next_call_and_keeps_what_it_found(day):
    from gpu_stages.stage import Unfinished

    def begin(settings, seconds):
        raise Unfinished({"epochs_done": 3}, 90.0)

    training = stage("training", begin, seconds=500, least=20)
    assert day.call(training)[0].startswith("== training")
    assert day.stages["training"]["state"] == "unfinished"
    said = day.call(training, seconds=20)
    assert said == ["-- training: skipped, it takes about 90 s and 15 s are left of this call"]
    assert day.stages["training"]["state"] == "unfinished"
    assert day.stages["training"]["found"] == {"epochs_done": 3}
    assert day.call(training)[0].startswith("== training: what training is; about 90 s")


def test_a_network_is_carried_home_without_its_optimiser(tmp_path):
    from gpu_stages.small_checkpoints import keep_network

    run = untrained_run(tmp_path / "run")
    own = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    torch.save(own | {"optimizer_states": [{"state": {0: torch.zeros(10_000)}}]}, run / "checkpoints/last.ckpt")
    keep_network(run, tmp_path / "networks/it.ckpt")
    kept, whole = lta.load(tmp_path / "networks/it.ckpt").state_dict(), own["state_dict"]
    assert kept.keys() == whole.keys()
    assert all(torch.equal(kept[name], whole[name]) for name in whole)
    sizes = [file.stat().st_size for file in (tmp_path / "networks/it.ckpt", run / "checkpoints/last.ckpt")]
    assert sizes[0] < sizes[1] - 30_000


def test_the_end_of_a_call_stops_a_stage_that_takes_too_long(day):
    def sleep(settings, seconds):
        time.sleep(30)

    begun = time.monotonic()
    day.call(stage("slow", sleep), stage("next", seconds=3), seconds=6.5)
    assert time.monotonic() - begun < 20
    assert {name: one["state"] for name, one in day.stages.items()} == {"slow": "stopped", "next": "skipped"}
    said = day.call(stage("slow", seconds=1), seconds=6.5)
    assert said[0].startswith("-- slow: skipped, it takes about "), "half as long again as it has taken"


def test_a_dry_run_is_not_gone_on_with_as_a_real_one(day):
    from gpu_stages.summary import Summary

    day.call(stage("one"))
    with pytest.raises(ValueError, match=r"its gpu_day\.json is of a dry run; choose another folder"):
        Summary(day.folder, dry_run=False)


ENDS = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(sys.argv[1]).write_text("ended"), sys.exit(143)))
print("begun", flush=True)
time.sleep(60)
"""


@pytest.mark.slow
def test_a_training_is_asked_to_end_before_the_time_is_over(tmp_path):
    from gpu_stages.training import run_until

    begun = time.monotonic()
    run_until([sys.executable, "-c", ENDS, tmp_path / "how"], tmp_path / "log", 12.0)
    assert time.monotonic() - begun < 12.0
    assert (tmp_path / "how").read_text() == "ended"


def test_a_training_that_fails_says_why(tmp_path):
    from gpu_stages.training import run_until

    said = "import sys; print('device: cpu'); sys.exit('error: no such model')"
    with pytest.raises(RuntimeError, match=r"ended with status 1: error: no such model \(see .*log\)"):
        run_until([sys.executable, "-c", said], tmp_path / "log", 60.0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_a_training_dies_with_the_call_that_is_killed(tmp_path):
    call = f"""
import sys, pathlib
sys.path[:0] = {[str(BENCHMARKS), str(BENCHMARKS.parent)]}
from gpu_stages.training import run_until
run_until([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(60)"],
          pathlib.Path({str(tmp_path / "log")!r}), 60)
"""
    parent = subprocess.Popen([sys.executable, "-c", call])
    while not (tmp_path / "log").exists() or not (tmp_path / "log").read_text():
        assert parent.poll() is None
        time.sleep(0.05)
    child = int((tmp_path / "log").read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 10
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid):
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_progress_is_read_from_the_rows_of_the_epochs():
    from gpu_stages.training import describe_rows, estimate_rest

    rows = [{"time/images": "100", "time/seconds": "7"}, {"time/images": "300", "time/seconds": "9"}]
    rows[1]["test_each_epoch/error"] = "12.5"
    found = describe_rows(rows)
    assert found == {"epochs_done": 2, "training_seconds": 9, "images_per_second": 100, "test_error_by_epoch": [12.5]}
    assert describe_rows([]) == {"epochs_done": 0}
    assert estimate_rest(rows, before=1, taken=10, epochs=12) == 100
    assert estimate_rest(rows, before=2, taken=10, epochs=12) is None


def test_what_is_missing_is_said(tmp_path, monkeypatch):
    from gpu_stages.settings import ON_GPU, Settings
    from gpu_stages.stage import Absent
    from gpu_stages.training import Training, choose_overrides

    monkeypatch.setenv("LTA_DATA_ROOT", str(tmp_path))
    settings, training = Settings(tmp_path, "cuda", ON_GPU), Training("one", "cifar100", ("model=vgg_att3",))
    with pytest.raises(Absent, match="neither cifar-100-python/ nor its archive is below LTA_DATA_ROOT"):
        choose_overrides(settings, training)
    (tmp_path / "cifar-100-python").mkdir()
    assert "data=cifar100" in choose_overrides(settings, training)


def test_the_device_waits_where_nothing_of_it_runs():
    from gpu_stages.trace import find_idle_share, read_spans

    events = [
        {"ph": "X", "cat": "kernel", "ts": 10, "dur": 10},
        {"ph": "X", "cat": "gpu_memcpy", "ts": 15, "dur": 10},
        {"ph": "X", "cat": "kernel", "ts": 40, "dur": 20},
        {"ph": "X", "cat": "gpu_user_annotation", "ts": 0, "dur": 100},
        {"ph": "i", "cat": "kernel", "ts": 0},
    ]
    spans = read_spans({"traceEvents": events}, {"kernel", "gpu_memcpy"})
    assert find_idle_share(spans) == 15 / 50
    assert find_idle_share([(0, 10), (2, 5), (10, 12)]) == 0


def test_the_tests_that_failed_are_named(tmp_path):
    from gpu_stages.gpu_tests import read_results

    (tmp_path / "found.xml").write_text(
        '<testsuites><testsuite><testcase classname="a" name="one"/>'
        '<testcase classname="b" name="three"><skipped/></testcase>'
        '<testcase classname="a" name="two"><failure message="AssertionError: 3&#10;more"/></testcase>'
        "</testsuite></testsuites>"
    )
    assert read_results(tmp_path / "found.xml") == {"passed": 1, "skipped": 1, "failed": {"a::two": "AssertionError: 3"}}


@pytest.mark.slow
def test_a_dry_run_goes_through_all_stages(tmp_path):
    """On made-up pictures: no data are there."""
    without = {name: value for name, value in environment().items() if name != "LTA_DATA_ROOT"}
    command = [sys.executable, BENCHMARKS / "gpu_day.py", "--dry-run", "--resume", tmp_path / "out", "--minutes", "20"]
    ended = processes.run(command, cwd=tmp_path, env=without)
    assert ended.returncode == 0, ended.stderr
    day = json.loads((tmp_path / "out" / "gpu_day.json").read_text())
    stages = day["stages"]
    wrong = {name: one for name, one in stages.items() if one["state"] != "done"}
    assert not wrong.keys() - {"step_backbone", "tests"}, wrong  # which need timm, and the tests' folder
    assert all(one["state"] == "absent" for one in wrong.values()), wrong
    found = {name: one["found"] for name, one in stages.items() if one["state"] == "done"}
    assert found["facts"]["matmul_tflops"]["fp32"] > 0
    assert found["facts"]["libraries"]["torch"]
    for name in ("step", "step_compiled", "step_narrow", "step_air"):
        for row in found[name]["rows"].values():
            assert row["images_per_second"] > 0
            assert row["flops_per_image"] > 1e6
            assert 0 <= row["waits"] < 1
    assert [bar["case"] for bar in found["step"]["bars"]] == ["images/s, vgg_att3 / textbook", "waiting for Python"]
    assert {"sent", "on the device"} == found["pipeline"]["images_per_second"].keys()
    assert found["overhead"]["step_ms"]["bare loop"] > 0
    for name in ("air_to_94", "air_att3_to_94"):
        assert found[name]["reached"] == (found[name]["test_error"] <= 6)
    trained = [name for name, one in stages.items() if one["kind"] == "row"]
    assert set(trained) == {"att2_cifar10", "att3_cifar100", "gap_cifar10", "uniform_cifar100", "att2_cifar10_author"}
    for name in trained:
        assert found[name]["epochs_done"] == 1
        assert 0 <= found[name]["test_error"] <= 100
        assert "recipe=author" in found[name]["command"] or "author" not in name
        home = lta.load(tmp_path / "out/networks" / f"{name}.ckpt")
        assert home.predict(torch.zeros(3, 32, 32, dtype=torch.uint8)).labels
    assert [found[name]["at_most"] for name in ("att2_cifar10", "att3_cifar100")] == [5.23, 22.97]
    page = gpu_figures.render_figures_of(day)
    assert all(stages[name]["title"] in page for name in trained)
    again = processes.run(command, cwd=tmp_path, env=without)
    assert again.stdout.count("done before") == len(found)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--minutes", "0", "--dry-run"], "error: --minutes=0 must be above 0 and at most 1440"),
        ([], "error: torch"),
    ],
)
def test_a_wrong_command_ends_in_one_line(arguments, said, tmp_path):
    without = environment() | {"CUDA_VISIBLE_DEVICES": ""}
    ended = processes.run([sys.executable, BENCHMARKS / "gpu_day.py", *arguments], cwd=tmp_path, env=without)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith(said)
    assert not list(tmp_path.iterdir())
