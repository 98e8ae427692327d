"""A call of a sweep with runs that are only pretended: what is started, skipped, refused, summed up."""

import csv
import json
import time
from pathlib import Path

import pytest
from pretended import finish, pretend

from lta.cli.migrate import migrate_config
from lta.runtime import run_directory
from lta.runtime.files import write_json
from lta.runtime.provenance import code_version
from lta.sweep.jobs import Job
from lta.sweep.session import check_options, read_objective, run_sweep

HERE = Path("here")
OLD = "0123456789ab"


@pytest.fixture
def pretended(monkeypatch, tmp_path):
    return pretend(monkeypatch, tmp_path)


def made(models=("vgg",), seeds=(0, 1), epochs=30, **trainer):
    jobs = []
    for model in models:
        for seed in seeds:
            name = f"model-{model}+seed-{seed}"
            config = {"seed": seed, "resume": None, "recipe": {"epochs": epochs, "lr": 0.1}, "model": {"kind": model}}
            config["trainer"] = {"accelerator": "auto", "devices": 1, **trainer}
            config = migrate_config(config)  # with all that today's have
            command = ["data=cifar10", f"model={model}", f"seed={seed}", f"hydra.run.dir=here/{name}", "resume=auto"]
            jobs.append(Job(name, HERE / name, command, {"model": model, "seed": str(seed)}, config))
    return jobs


def sweep(jobs, slots="auto", code="same", gpus="", before=0, show=True):
    HERE.mkdir(exist_ok=True)
    run_sweep(jobs, HERE, slots, code, {"CUDA_VISIBLE_DEVICES": gpus}, before, show)
    return jobs


def summary():
    return json.loads((HERE / "sweep.json").read_text())


def test_a_job_is_done_when_its_evaluators_have_answered_and_w_and_b_has_all(pretended):
    (job,) = sweep(made(seeds=[0]))
    complete = pretended.calls[0]["complete"]
    assert complete(job)
    found = run_directory.read_results(job.directory)
    run_directory.write_results(job.directory, found, complete=False)
    assert not complete(job), "it has ended with status 0, but not come to its end"


def test_a_job_for_all_gpus_of_its_slot_has_a_process_for_each(pretended):
    jobs = sweep(made(seeds=[0, 1], devices="auto"), slots=2, gpus="0,1,2,3,4,5,6,7")
    assert [job.processes for job in jobs] == [4, 4]
    assert [job.processes for job in sweep(made(models=["gap"], devices=2), gpus="0,1,2,3")] == [2, 2]


def test_what_is_done_is_skipped_and_the_rest_started(pretended, capsys):
    pretended.failing = {"model-vgg+seed-1"}
    jobs = sweep(made(["vgg", "gap"]))
    assert [job.status for job in jobs] == ["done", "failed", "done", "done"]
    *_, head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["job", "ended", "why", "log"]
    assert row.split("  ") == ["model-vgg+seed-1", "status 1", "no luck", "here/model-vgg+seed-1/console.log"]

    pretended.failing = set()
    sweep(made(["gap", "vgg"], seeds=[2, 1, 0]))
    assert pretended.started() == ["model-gap+seed-2", "model-vgg+seed-2", "model-vgg+seed-1"]
    assert "finished before, so skipped: model-gap+seed-1, model-gap+seed-0, model-vgg+seed-0\n" in capsys.readouterr().out

    cut_off = HERE / "model-vgg+seed-0" / "results.json"
    cut_off.write_text(json.dumps(json.loads(cut_off.read_text()) | {"complete": False}))
    sweep(made(["vgg", "gap"]))
    capsys.readouterr()
    assert pretended.started() == ["model-vgg+seed-0"], "tested, but evaluators or W&B had not all they should have"

    sweep(made(["vgg", "gap"]))
    assert pretended.started() == []
    table = capsys.readouterr().out.partition("== sweep")[2].splitlines()[1:]
    assert [" ".join(row.split()) for row in table] == [
        "model n test/error val/error time a run",
        "vgg 3 11.00 ± 1.00 22.00 ± 2.00 1 min 0 s",  # also seed 2, of another call
        "gap 3 11.00 ± 1.00 22.00 ± 2.00 1 min 0 s",
        "each run here/sweep.csv",
        "this table here/sweep_means.csv",
        "all figures here/sweep.json",
    ]


def test_many_skipped_jobs_are_counted(pretended, capsys):
    sweep(made(seeds=range(13)))
    sweep(made(seeds=range(13)))
    assert "model-vgg+seed-8, model-vgg+seed-9 and 3 more\n" in capsys.readouterr().out


def test_the_summary_is_written_with_every_run(pretended):
    pretended.failing = {"model-gap+seed-1"}
    sweep(made(["vgg", "gap"]), show=False)
    vgg, gap = summary()["groups"]
    assert vgg["overrides"] == {"model": "vgg"}
    assert (vgg["n"], vgg["seeds"], vgg["seconds"]) == (2, [0, 1], 60.0)
    assert vgg["test/error"] == {"mean": 10.5, "std": pytest.approx(0.5**0.5)}
    assert vgg["val/error"] == {"mean": 21.0, "std": pytest.approx(2**0.5)}
    assert (gap["n"], gap["test/error"]) == (1, {"mean": 10.0, "std": None})
    runs = {run["directory"]: run for run in summary()["runs"]}
    assert runs["model-vgg+seed-1"] == {
        "directory": "model-vgg+seed-1",
        "status": "finished",
        "why": None,
        "overrides": {"model": "vgg", "seed": "1"},
        "seed": 1,
        "code": code_version(),
        "precision": None,
        "test/error": 11.0,
        "val/error": 22.0,
        "seconds": 60.0,
    }
    failed = runs["model-gap+seed-1"]
    assert (failed["status"], failed["why"], failed["test/error"]) == ("failed", "no luck", None)
    with (HERE / "sweep_means.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["model"], row["n"], row["test/error mean"], row["test/error std"]) for row in rows] == [
        ("vgg", "2", "10.5", "0.7071"),
        ("gap", "1", "10.0", ""),
    ]
    with (HERE / "sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["model", "seed", "status", "test/error", "val/error", "seconds", "directory"]
    assert [tuple(row.values()) for row in rows[1:]] == [
        ("vgg", "1", "finished", "11.0", "22.0", "60.0", "model-vgg+seed-1"),
        ("gap", "0", "finished", "10.0", "20.0", "60.0", "model-gap+seed-0"),
        ("gap", "1", "failed", "", "", "", "model-gap+seed-1"),
    ]
    assert not list(HERE.glob("*.part"))


def test_sweeps_in_one_directory_are_told_apart_by_what_differs(pretended):
    sweep(made(["vgg"]))
    other = made(["gap"])
    for job in other:
        job.varying = {"seed": job.varying["seed"]}
        job.command.append("compat=dp")
    sweep(other)
    assert [group["overrides"] for group in summary()["groups"]] == [
        {"compat": "dp", "model": "gap"},
        {"compat": "", "model": "vgg"},
    ]


def test_the_summary_is_printed_only_where_it_is_asked_for(pretended, capsys):
    sweep(made(), show=False)
    assert "== sweep" not in capsys.readouterr().out
    assert summary()["groups"][0]["n"] == 2


def make_old(job):
    finish(job.directory, job.config, job.command, code=OLD)
    return (job.directory / "results.json").read_bytes()


def test_runs_of_other_code_are_refused_before_anything_starts(pretended):
    make_old(sweep(made())[0])
    with pytest.raises(
        ValueError, match=rf"^1 of the 3 jobs were finished by other versions of the code \({OLD}; now [0-9a-f]{{12}}\): "
    ):
        sweep(made(seeds=[0, 1, 2]))
    assert len(pretended.calls) == 1


def test_runs_of_other_code_are_taken_and_that_is_said(pretended, capsys):
    make_old(sweep(made())[0])
    sweep(made(), code="any")
    assert pretended.started() == []
    versions = ", ".join(sorted([OLD, code_version()]))
    assert f"runs of different versions of the code are averaged together: {versions}\n" in capsys.readouterr().out


def test_runs_of_different_precision_are_taken_together_and_that_is_said(pretended, capsys):
    for job, precision in zip(sweep(made()), ("bf16-mixed", "32-true"), strict=True):
        found = run_directory.read_results(job.directory)
        run_directory.write_results(job.directory, {**found, "precision": precision}, complete=True)
    assert "precision" not in capsys.readouterr().out
    sweep(made())
    assert "runs of different precision are averaged together: 32-true, bf16-mixed\n" in capsys.readouterr().out


def test_runs_of_other_code_are_moved_aside_and_kept(pretended, capsys):
    sweep(made())
    for again in ("", "_2", "_3"):
        kept = make_old(made()[0])
        sweep(made(), code="rerun")
        assert pretended.started() == ["model-vgg+seed-0"]
        assert (HERE / f"model-vgg+seed-0@{OLD}{again}" / "results.json").read_bytes() == kept
        assert [run["directory"] for run in summary()["runs"]] == ["model-vgg+seed-0", "model-vgg+seed-1"]
    sweep(made(), code="rerun")
    assert pretended.started() == [], "what the code of now has finished is not run again"
    make_old(made()[0])
    sweep(made(epochs=3, seeds=[0]), code="rerun")
    assert pretended.started() == ["model-vgg+seed-0"], "other code has other settings too"


def test_a_run_that_does_not_say_its_code_is_of_other_code(pretended):
    (job,) = sweep(made(seeds=[0]))
    (job.directory / "run.json").write_text("")
    with pytest.raises(ValueError, match=r"other versions of the code \(unknown; now"):
        sweep(made(seeds=[0]))


def test_a_run_of_another_configuration_is_no_result_of_this_sweep(pretended):
    sweep(made())
    jobs = sweep(made(devices=2, accelerator="cpu"))
    assert [job.status for job in jobs] == ["skipped"] * 2, "where it runs is not what it computes"
    first, second, third = sweep(made(epochs=7, seeds=[0, 1, 2]))
    assert (first.status, second.status, third.status) == ("failed", "failed", "done")
    assert first.why == (
        "here/model-vgg+seed-0 holds a run with recipe.epochs=30, not recipe.epochs=7: choose another hydra.sweep.dir, "
        "or move that directory away"
    )
    assert summary()["groups"][0]["seeds"] == [2]
    assert [run["test/error"] for run in summary()["runs"]] == [None, None, 12.0]


def test_settings_that_only_one_of_them_has_differ(pretended):
    sweep(made(seeds=[0]))
    (job,) = made(seeds=[0])
    job.config["recipe"]["momentum"] = 0.9
    assert "recipe.momentum=nothing, not recipe.momentum=0.9" in sweep([job])[0].why
    (job,) = made(seeds=[0])
    del job.config["recipe"]["lr"]
    assert "recipe.lr=0.1, not recipe.lr=nothing" in sweep([job])[0].why


def test_unfinished_runs_are_started_again_and_not_averaged(pretended, capsys):
    sweep(made())
    (HERE / "model-vgg+seed-1" / "results.json").unlink()
    sweep(made(seeds=[0, 2]))
    assert pretended.started() == ["model-vgg+seed-2"]
    assert summary()["groups"][0]["seeds"] == [0, 2]
    assert "not among them: model-vgg+seed-1 (unfinished)\n" in capsys.readouterr().out
    sweep(made())
    assert pretended.started() == ["model-vgg+seed-1"]


@pytest.mark.parametrize(
    ("gpus", "slots", "jobs", "shares"),
    [
        ("0,1,2,3", "auto", made(seeds=[0, 1, 2], devices=2), ["0,1", "2,3"]),
        ("0,1,2,3", "auto", made(["vgg"]) + made(["gap"], devices=2), ["0,1", "2,3"]),
        ("0,1", "auto", made(devices=[1]), ["0,1"]),
        ("0,1,2,3", "auto", made(), ["0,1", "2,3"]),  # no more slots than jobs
        ("0,1", "auto", made(devices=3, seeds=[0]), "seed-0 asks for 3 GPUs by trainer.devices, but has 2 of 2 with "),
        ("0,1", 3, made(), ["0", "1", "0"]),
        ("0,1", 2, made(devices=2), "has 1 of 2 with hydra.launcher.slots=2: choose fewer of either"),
        ("0,1", "auto", made(accelerator="cpu", devices=2), [""]),
        ("", "auto", made(devices=2), [""]),
        ("", 2, made(), ["", ""]),
    ],
)
def test_slots_and_their_gpus(pretended, capsys, gpus, slots, jobs, shares):
    if isinstance(shares, str):
        with pytest.raises(ValueError, match=shares):
            sweep(jobs, slots, gpus=gpus)
        assert not pretended.calls
        return
    sweep(jobs, slots, gpus=gpus)
    assert [",".join(slot.gpus) for slot in pretended.calls[0]["slots"]] == shares
    said = capsys.readouterr().out.splitlines()[0]
    advice = "1 at a time, as no GPU is used; hydra.launcher.slots=N runs N at a time"
    assert said.endswith(advice) == (shares == [""])


@pytest.mark.parametrize(
    ("slots", "code", "key", "line"),
    [
        (0, "same", None, "hydra.launcher.slots=0 must be auto or a whole number, at least 1"),
        (1.5, "same", None, "hydra.launcher.slots=1.5 must be auto or a whole number"),
        ("all", "same", None, "hydra.launcher.slots=all must be auto or a whole number"),
        (True, "same", None, "hydra.launcher.slots=True must be auto or a whole number"),
        (None, "same", None, "hydra.launcher.slots=None must be auto or a whole number"),
        (1, "old", None, "hydra.launcher.code=old is unknown; choose one of same, any, rerun"),
        (1, "any", "test/error", "hydra.launcher.objective=test/error: nothing may be chosen by the test set"),
        (1, "any", "test_each_epoch/error", "test_each_epoch/error: nothing may be chosen by the test set"),
        (1, "any", 3, "hydra.launcher.objective=3 must be the name of a metric"),
    ],
)
def test_wrong_options(slots, code, key, line):
    with pytest.raises(ValueError, match=line):
        check_options(slots, code, key)


def test_the_objective_is_the_last_epochs(pretended):
    (job,) = sweep(made(seeds=[3]))
    assert read_objective(job, "val/error") == 26.0
    assert read_objective(job, "val/loss") is None
    assert read_objective(job, None) is None
    write_json(job.directory / "results.json", {"test": {"error": 1.0}, "history": []})
    assert read_objective(job, "val/error") is None


def test_jobs_are_told_when_the_sweep_began(pretended):
    """What one of them reads in full by data.verify=full, the others need not."""
    before = time.time_ns()
    sweep(made())
    assert before <= int(pretended.calls[0]["environment"]["LTA_VERIFIED_SINCE"]) <= time.time_ns()
