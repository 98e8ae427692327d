"""`python -m lta.report`, as a user starts it."""

import re
import resource
import shutil
import subprocess
import sys

import pytest
from made_runs import figure, make_run


def ask(*arguments, cwd, blocked=("torch", "pytorch_lightning", "wandb", "hydra")):
    """With libraries that it must do without."""
    begin = f"import sys, runpy; sys.modules.update(dict.fromkeys({blocked!r})); sys.argv = ['lta.report', *sys.argv[1:]];"
    code = f"{begin} runpy.run_module('lta.report', run_name='__main__')"
    return subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=cwd, capture_output=True, text=True)


def test_it_writes_both_pages_and_says_where(tmp_path):
    for seed, error in enumerate((5.2, 5.3, 5.4)):
        make_run(tmp_path / "runs" / str(seed), "data=cifar10", "model=vgg_att2", "recipe=author", seed=seed, error=error)
    ended = ask("runs", "--out", "out", "--title", "Ours", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [
        "cifar10        vgg_att2 pc concat                        5.30 % (mean of 3 runs)   reproduced",
        "3 notes on what is left out, in the report's last section",
        "out/report.html",
        "out/report.md",
        "out/report.json",
    ]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<title>Ours</title>" in page
    assert "python -m lta.report runs --out out --title Ours" in page
    assert (tmp_path / "out" / "report.md").read_text().startswith("# Ours\n")


def processor_seconds(call, *arguments, **options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert call(*arguments, **options).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "error: nowhere does not exist; give run directories, or folders that hold some"),
        (["runs", "--out", "runs/0/config.yaml"], "error: --out=runs/0/config.yaml is a file; give a folder"),
    ],
)
def test_errors_are_one_line(tmp_path, arguments, says):
    make_run(tmp_path / "runs" / "0", "data=cifar10")
    ended = ask(*arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stderr.splitlines()) == (1, [says])


def test_the_word_that_every_command_takes_is_taken(tmp_path):
    make_run(tmp_path / "runs" / "0", "data=cifar10")
    assert ask("runs", "trust=a.b.C,d.e", cwd=tmp_path).returncode == 0
    ended = ask("runs", "trust=a/b", cwd=tmp_path)
    says = "error: trust=a/b must be the full name of a class or function, like my_package.module.Class"
    assert (ended.returncode, ended.stderr.splitlines()) == (1, [says])


def test_no_run_at_all_is_an_error(tmp_path):
    (tmp_path / "runs" / "below").mkdir(parents=True)
    ended = ask("runs", cwd=tmp_path)
    says = "error: there is no run in runs: no folder there has a config.yaml or run.json"
    assert (ended.returncode, ended.stderr.splitlines()) == (1, [says])
    assert not (tmp_path / "report.html").exists()


def test_runs_that_are_not_finished_are_a_page_that_says_so(tmp_path):
    make_run(tmp_path / "runs" / "0", "data=cifar10")
    (tmp_path / "runs" / "0" / "results.json").unlink()
    ended = ask("runs", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "not finished" in (tmp_path / "report.html").read_text()


def test_a_file_of_somebody_else_stays(tmp_path):
    make_run(tmp_path / "runs" / "0", "data=cifar10")
    (tmp_path / "report.md").write_text("# What I think\n")
    for beside in (None, "{}", "[1]", "no JSON"):
        if beside is not None:
            (tmp_path / "report.json").write_text(beside)
        ended = ask("runs", cwd=tmp_path)
        says = "without a report's report.json next to it: move it away or choose another --out"
        assert ended.returncode == 1, beside
        assert ended.stderr.splitlines() == [f"error: report.md already exists, {says}"], beside
        assert (tmp_path / "report.md").read_text() == "# What I think\n"
        assert not (tmp_path / "report.html").exists()
    assert ask("runs", "--out", "out", cwd=tmp_path).returncode == 0
    assert ask("runs", "--out", "out", cwd=tmp_path).returncode == 0, "a report takes the place of an older one"


def test_no_run_at_all_takes_no_reports_place(tmp_path):
    make_run(tmp_path / "runs" / "0", "data=cifar10")
    (tmp_path / "empty").mkdir()
    assert ask("runs", "--out", "kept", cwd=tmp_path).returncode == 0
    before = (tmp_path / "kept" / "report.html").read_bytes()
    ended = ask("empty", "--out", "kept", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == ["error: there is no finished run in empty: the report in kept stays as it is"]
    assert (tmp_path / "kept" / "report.html").read_bytes() == before


@pytest.mark.slow
def test_it_can_be_kept_in_wandb(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_SERVICE", raising=False)  # that of an earlier test in this process, which may have ended
    make_run(tmp_path / "runs" / "0", "data=cifar10")
    ended = ask("runs", "--out", "out", "--wandb", "somebody/lta", cwd=tmp_path, blocked=())
    assert ended.returncode == 0, ended.stderr
    (part,) = (tmp_path / "out" / "wandb").glob("offline-run-*")
    assert ended.stdout.splitlines()[-1] == f"as an artifact: wandb sync {part}"
    assert b"report.html" in next(part.glob("*.wandb")).read_bytes()


def test_a_hundred_runs_take_below_two_seconds_and_ten_megabytes(tmp_path):
    """In processor time: what else the machine does has no say in it."""
    models = ("vgg", "vgg_gap", "vgg_att1", "vgg_att2", "vgg_att3")
    answers = {
        "localisation": {"maps": {level: {"iou": figure(0.3), "pointing": figure(0.5)} for level in "ABC"}},
        "robustness": {"attacks": {"fgsm": {str(eps): {"error": figure(9)} for eps in (0, 1, 2, 4, 8)}}},
    }
    for model in models:
        for number in range(4):
            first = make_run(
                tmp_path / "runs" / f"{model}-{number}-0",
                f"model={model}",
                "data=cifar10",
                f"recipe.lr={0.1 + number}",
                epochs=100,
                panels=20,
                answers=answers,
            )
            for panel in (first / "attention").iterdir():
                panel.write_bytes(panel.read_bytes() + b"\0" * 180_000)  # as large as a run's own
            for seed in range(1, 5):
                again = first.with_name(f"{model}-{number}-{seed}")
                shutil.copytree(first, again)
                config = again / "config.yaml"
                config.write_text(re.sub(r"(?m)^( *)seed: 0$", rf"\1seed: {seed}", config.read_text()))
    seconds, imports = [], []
    for _ in range(3):
        seconds.append(processor_seconds(ask, "runs", cwd=tmp_path))
        imports.append(processor_seconds(subprocess.run, [sys.executable, "-c", "import matplotlib.figure"], check=True))
    page = (tmp_path / "report.html").read_text()
    assert "100 runs" in page
    assert "20 configurations" in page
    # Where other processes slow the processor down, importing matplotlib takes more than its half second, a quarter of 2 s.
    assert min(seconds) < max(2, 4 * min(imports)), (seconds, imports)
    assert (tmp_path / "report.html").stat().st_size < 10_000_000
