"""The launcher from the command line on, with runs that are only pretended."""

import sys

import pytest
from commands import lta_run
from pretended import pretend


@pytest.fixture
def pretended(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    return pretend(monkeypatch, tmp_path)


def test_each_job_is_a_single_run_of_the_same_module(capsys, pretended, tmp_path):
    (tmp_path / "mine").mkdir()
    options = ["seed=0,1", "model=vgg", "hydra.verbose=false", "hydra.launcher.slots=2"]
    ended = lta_run(capsys, ["--config-dir", "mine", "-m", *options])
    assert ended.status == 0, ended.err
    (sweep,) = (tmp_path / "multirun").iterdir()
    (call,) = pretended.calls
    for seed, job in enumerate(call["jobs"]):
        run = f"hydra.run.dir=multirun/{sweep.name}/seed-{seed}"
        assert job.command == [
            sys.executable,
            "-m",
            "lta.run",
            "--config-dir",
            str(tmp_path / "mine"),
            f"seed={seed}",
            "model=vgg",
            "hydra.verbose=false",
            run,
            "resume=auto",
        ]
    assert [(slot.cores, slot.gpus) for slot in call["slots"]] == [((0,), ("0",)), ((1,), ("1",))]
    assert "HYDRA_FULL_ERROR" not in call["environment"], "Hydra's own change of the environment is not the user's"


def test_several_evaluators_are_asked_of_each_network_and_are_no_jobs_of_their_own(capsys, pretended):
    ended = lta_run(capsys, ["-m", "seed=0,1", "evaluator=classification,robustness"])
    assert ended.status == 0, ended.err
    assert pretended.started() == ["seed-0", "seed-1"]
    assert "evaluator=[classification,robustness]" in pretended.calls[0]["jobs"][0].command


def test_directories_that_need_quotes_get_them(capsys, pretended):
    assert lta_run(capsys, ["-m", "seed=0", 'hydra.sweep.dir="a (b), it\'s"']).status == 0
    (job,) = pretended.calls[0]["jobs"]
    assert str(job.directory) == "a (b), it's/run"
    assert "hydra.run.dir='a (b), it\\'s/run'" in job.command


def test_the_same_command_goes_on_and_takes_new_values(capsys, pretended):
    pretended.failing = {"model-vgg+seed-1"}
    ended = lta_run(capsys, ["-m", "model=vgg,vgg_gap", "seed=0,1", "recipe.epochs=2"])
    assert ended.status == 1
    assert ended.err.splitlines() == ["error: 1 of 4 jobs failed; model-vgg+seed-1: no luck"]
    pretended.failing = set()
    assert lta_run(capsys, ["-m", "seed=1,2", "recipe.epochs=2", "model=vgg_gap,vgg"]).status == 0
    assert pretended.started() == ["model-vgg+seed-1", "model-vgg_gap+seed-2", "model-vgg+seed-2"]


def test_a_job_that_can_t_be_composed_fails_alone(capsys, pretended):
    ended = lta_run(capsys, ["-m", "data=image_folder,digit_scenes"])
    assert ended.status == 1
    assert ended.err.splitlines() == ["error: 1 of 2 jobs failed; data-image_folder: data.root must be given"]
    assert pretended.started() == ["data-digit_scenes"]


def test_what_the_sweeper_gets_back(capsys, pretended, monkeypatch):
    from hydra.core.plugins import Plugins
    from hydra.plugins.launcher import Launcher

    launcher = next(one for one in Plugins.instance().discover(Launcher) if one.__name__ == "ProcessLauncher")
    returned, launch = [], launcher.launch

    def spy(self, *arguments, **options):
        returned.extend(launch(self, *arguments, **options))
        return returned

    monkeypatch.setattr(launcher, "launch", spy)
    pretended.failing = {"seed-1"}
    lta_run(capsys, ["-m", "model=vgg", "seed=0,1"])
    good, bad = returned
    assert good.return_value == 20.0, "val/error of the last epoch"
    with pytest.raises(ValueError, match="1 of 2 jobs failed; seed-1: no luck"):
        bad.return_value  # noqa: B018


def test_a_stopped_sweep_says_so_and_ends_with_its_status(capsys, pretended):
    pretended.stopped = True
    ended = lta_run(capsys, ["-m", "model=vgg", "seed=0,1"])
    assert ended.status == 143
    assert ended.err.splitlines() == ["stopped by SIGTERM; 0 of 2 jobs done; repeat the command to continue"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["hydra.launcher.slots=0"], "hydra.launcher.slots=0 must be auto or a whole number, at least 1"),
        (["hydra.launcher.places=2"], "there is no setting hydra.launcher.places"),
        (["seed=1,1"], "2 jobs of this sweep are the same, seed-1: a value is given twice"),
        (["resume=a,b"], "resume= is for one run: a sweep goes on by the same command given again"),
        (
            ["trainer.devices=2", "hydra.launcher.slots=2"],
            "seed-0 asks for 2 GPUs by trainer.devices, but has 1 of 2 with",
        ),
    ],
)
def test_a_wrong_sweep_ends_in_one_line_before_anything_starts(capsys, pretended, options, line):
    ended = lta_run(capsys, ["-m", "model=vgg", "seed=0,1", *options])
    assert ended.status == 1
    (only,) = ended.err.splitlines()
    assert only.startswith("error: ")
    assert line in only
    assert not pretended.calls


@pytest.mark.parametrize("nothing", ["experiment=glob(nope*)", "seed=range(0,0)"])
def test_a_sweep_over_nothing_is_said_in_one_line(capsys, pretended, nothing):
    ended = lta_run(capsys, ["-m", "model=vgg", nothing])
    assert ended.status == 1
    (line,) = ended.err.splitlines()
    assert line == f"error: the sweep has no job: nothing fits model=vgg, {nothing}"
    assert not pretended.calls
