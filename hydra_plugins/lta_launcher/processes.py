"""Hydra's launcher for sweeps: translates between Hydra and `lta.sweep`, which does the work.

Hydra imports this module with every command, so it imports what is there already and the rest when a sweep starts.
"""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

if TYPE_CHECKING:
    from lta.sweep.jobs import Job

OF_THE_SWEEP = re.compile(r"[+~]*hydra[./](launcher|sweeper|sweep|run|mode)\b")
"""Settings of Hydra that say how the sweep runs, not how a job does."""


class Failed(JobReturn):
    """Raises its reason when it is asked for its value; Hydra's own writes all overrides to the screen before."""

    @property
    def return_value(self) -> Any:
        raise self._return_value

    @return_value.setter
    def return_value(self, value: Any) -> None:
        self._return_value = value


class ProcessLauncher(Launcher):
    def __init__(self, slots: int | str = "auto", code: str = "same", objective: str | None = "val/error") -> None:
        self.slots, self.code, self.objective = slots, code, objective

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config, self.task = config, task_function
        self.versions: dict[tuple[Path, ...], str] = {}
        self.composed: dict[tuple[str, ...], dict[str, Any] | Exception] = {}
        self.load = hydra_context.config_loader.load_sweep_config
        # The sweeper composes every job to see whether that is possible, in 0.3 s: what it found is kept.
        hydra_context.config_loader.load_sweep_config = self._compose

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from lta.cli.launch import ENVIRONMENT
        from lta.cli.resolvers import split_overrides
        from lta.sweep.session import check_options, read_objective, run_sweep

        check_options(self.slots, self.code, self.objective)
        own = self.config.hydra
        constant, _ = split_overrides(own.overrides.task, OmegaConf.select(own, "sweeper.params"))
        if not job_overrides:
            raise ValueError(f"the sweep has no job: nothing fits {', '.join(own.overrides.task)}")
        directory = Path(own.sweep.dir)
        if not (marked := directory / "multirun.yaml").exists():  # Optuna's sweeper writes none
            directory.mkdir(parents=True, exist_ok=True)
            OmegaConf.save(self.config, marked)
        jobs = [self._make_job(overrides, constant) for overrides in job_overrides]
        searching = not own.sweeper._target_.endswith(".BasicSweeper")  # batch by batch, and it may try a value again
        if searching:
            once = {job.name: job for job in jobs}
            jobs = [once[job.name] for job in jobs]
        run_sweep(
            list(once.values()) if searching else jobs,
            directory,
            self.slots,
            self.code,
            ENVIRONMENT,
            before=initial_job_idx,
            show=not searching,
        )
        failed = [job for job in jobs if job.status in ("failed", "elsewhere")]
        how = "failed" if all(job.status == "failed" for job in failed) else "failed or run elsewhere"
        returns = []
        for job, overrides in zip(jobs, job_overrides, strict=True):
            if job in failed:
                ended = Failed(overrides=list(overrides), status=JobStatus.FAILED)
                ended.return_value = ValueError(f"{len(failed)} of {len(jobs)} jobs {how}; {job.name}: {job.why}")
            else:
                ended = JobReturn(overrides=list(overrides), status=JobStatus.COMPLETED)
                ended.return_value = read_objective(job, self.objective)
            returns.append(ended)
        return returns

    def _make_job(self, overrides: Sequence[str], constant: Mapping[str, str]) -> "Job":
        from lta.cli.errors import describe_error
        from lta.cli.quoting import quote_if_needed
        from lta.sweep.jobs import Job
        from lta.sweep.names import job_name

        pairs = [override.partition("=") for override in overrides]
        if any(key == "resume" for key, _, _ in pairs):
            raise ValueError("resume= is for one run: a sweep goes on by the same command given again")
        varying = {key: value for key, _, value in pairs if key not in constant}
        name = job_name(varying)
        directory = Path(self.config.hydra.sweep.dir) / name
        of_hydra = [override for override in self.config.hydra.overrides.hydra if not OF_THE_SWEEP.match(override)]
        command = [
            *find_program(self.task),
            *select_config_flags(sys.argv[1:]),
            *overrides,
            *of_hydra,
            f"hydra.run.dir={quote_if_needed('hydra.run.dir', str(directory))}",
            "resume=auto",
        ]
        if tuple(overrides) not in self.composed:
            self._compose(self.config, overrides)
        found = self.composed.pop(tuple(overrides))
        config = None if isinstance(found, Exception) else found
        job = Job(name, directory, command, varying, config, self._find_version(config))
        if isinstance(found, Exception):
            job.refuse(describe_error(found))
        return job

    def _find_version(self, config: Mapping[str, Any] | None) -> str:
        """Of the code that the job would run."""
        from lta.cli.plugins import find_own_code
        from lta.runtime.provenance import code_version

        own_code = tuple(find_own_code(config))
        if own_code not in self.versions:
            self.versions[own_code] = code_version(own_code)
        return self.versions[own_code]

    def _compose(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        from lta.instantiate import plain

        composed = self.load(master_config, list(sweep_overrides))
        HydraConfig.instance().set_config(composed)  # settings may ask what was chosen
        try:
            of_the_job = OmegaConf.masked_copy(composed, [key for key in composed if key != "hydra"])
            self.composed[tuple(sweep_overrides)] = plain(of_the_job)
        except OmegaConfBaseException as error:
            self.composed[tuple(sweep_overrides)] = error
        finally:
            HydraConfig.instance().set_config(master_config)
        return composed


def find_program(task: TaskFunction) -> list[str]:
    """How a process of its own runs the module that the task is of."""
    module = task.__module__
    if module == "__main__":
        main = sys.modules["__main__"]
        if main.__spec__ is None:
            return [sys.executable, main.__file__]
        module = main.__spec__.name
    return [sys.executable, "-m", module.removesuffix(".__main__")]


def select_config_flags(arguments: Sequence[str]) -> list[str]:
    """Those of Hydra's that say where configurations are read from."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("--config-path", "-cp")
    parser.add_argument("--config-name", "-cn")
    given, _ = parser.parse_known_args(arguments)
    return [text for key, value in vars(given).items() if value for text in (f"--{key.replace('_', '-')}", value)]
