"""Where a run and a sweep lie, as conf/config.yaml asks for it."""

import pytest
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationResolutionError

import lta.cli.resolvers  # noqa: F401 (registers the resolvers)
from lta.runtime.run_directory import WHERE, find_difference, is_free

STARTERS = ("LOCAL_RANK", "NODE_RANK", "TORCHELASTIC_RUN_ID", "SLURM_STEP_ID", "SLURM_NTASKS", "SLURM_JOB_NAME")


def of_sweep(**constant: str) -> str:
    sweep = {"constant": constant, "swept": ["seed"]}
    return OmegaConf.create({"sweep": sweep, "dir": "${lta.sweep_dir:${sweep}}"}).dir


def of_run(monkeypatch, environment: dict[str, str]) -> str:
    for name in STARTERS:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return OmegaConf.create({"dir": "${lta.run_dir:null,runs/now}"}).dir


@pytest.mark.parametrize(
    "free",
    [
        {"trainer": "gpu"},
        {"trainer.devices": "2"},
        {"+trainer.log_every_n_steps": "7"},
        {"trainer.precision": "32-true"},
        {"trainer.compile": "true"},
    ],
)
def test_a_sweep_elsewhere_is_the_same_sweep(free):
    assert of_sweep(model="vgg", **free) == of_sweep(model="vgg")


@pytest.mark.parametrize(
    "other",
    [
        {"+trainer.limit_train_batches": "5"},
        {"+trainer.gradient_clip_val": "1"},
        {"+trainer.accumulate_grad_batches": "4"},
        {"recipe.lr": "0.2"},
    ],
)
def test_a_sweep_that_computes_something_else_is_another(other):
    """A try of five batches is no run of the sweep that follows it."""
    assert of_sweep(model="vgg", **other) != of_sweep(model="vgg")


def test_what_of_the_trainer_makes_another_run():
    saved = {"seed": 0, "resume": None, "trainer": {"_target_": "x", "devices": 1, "profiler": {"a": 1}}}
    assert find_difference(saved, {"seed": 0, "resume": "there", "trainer": {"_target_": "y", "devices": 2}}) is None
    clipped = {"seed": 0, "trainer": {"devices": 1, "gradient_clip_val": 1.0}}
    assert find_difference(saved, clipped) == ("trainer.gradient_clip_val", "nothing", 1.0)
    assert not is_free("recipe.precision")
    assert not is_free("trainers.devices")
    assert all(is_free(f"trainer.{name}") for name in WHERE)


@pytest.mark.parametrize(
    ("environment", "by"),
    [
        ({"NODE_RANK": "0"}, "are started on several machines"),
        ({"SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "study"}, "srun starts"),
    ],
)
def test_processes_that_know_nothing_of_each_other_need_a_directory_named(monkeypatch, environment, by):
    """The clock would give them two."""
    with pytest.raises(
        InterpolationResolutionError,
        match=f"give hydra.run.dir=...: without it, the processes that {by} can't agree on a directory",
    ):
        of_run(monkeypatch, environment)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "study"},
        {"SLURM_NTASKS": "2", "SLURM_JOB_NAME": "study"},  # inside the job, without srun
        {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "interactive"},
        {"NODE_RANK": "0", "LOCAL_RANK": "1"},  # Lightning's
    ],
)
def test_one_process_has_the_clocks(monkeypatch, tmp_path, environment):
    monkeypatch.chdir(tmp_path)  # it is made at once
    assert of_run(monkeypatch, environment) == "runs/now"
