"""What files of conf/ ask for by resolvers (`${lta.run_dir:...}`): mostly where runs and sweeps lie. Imports no torch."""

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write
from omegaconf.errors import InterpolationResolutionError

from lta.checks import RunError
from lta.instantiate import escape
from lta.runtime import ranks
from lta.runtime.run_directory import is_free
from lta.sweep.names import job_name, sweep_name

TAUGHT = "taught.json"
"""What lta.teach writes beside its network."""


def is_directory_given() -> bool:
    """Whether the run's directory was named, and not made up for it."""
    return any(override.startswith("hydra.run.dir=") for override in HydraConfig.get().overrides.hydra)


def find_run_directory() -> Path:
    """Of this run, as Hydra was told: what looks like `${...}` in it, or in the current directory's name, is text."""
    runtime = cast(Any, HydraConfig.get().runtime)
    return Path(str(runtime._get_node("output_dir")._value()))


def keep_current_directory() -> None:
    """Lightning reads it from Hydra's settings, where a `${...}` in its name would be computed."""
    runtime = cast(Any, HydraConfig.get().runtime)
    with read_write(runtime):
        runtime.cwd = escape(os.getcwd())


def split_overrides(overrides: Sequence[str], params: Mapping[str, Any] | None) -> tuple[dict[str, str], set[str]]:
    """Of a sweep: what is the same in all its jobs, as value by key, and the keys of what varies.

    `overrides` are those of the command line, `params` the sweeper's own, which they replace. A glob is `key=pattern`.
    """
    constant, swept = {}, {}
    lines = [f"{key}={value}" for key, value in (params or {}).items()]
    for override in OverridesParser.create().parse_overrides([*lines, *overrides]):
        key = override.get_key_element()
        constant.pop(key, None)
        swept.pop(key, None)
        value = override.value()
        if isinstance(value, Glob):
            swept[key] = f"{key}={','.join([*value.include, *(f'!{pattern}' for pattern in value.exclude)])}"
        elif override.is_sweep_override():
            swept[key] = key
        else:
            constant[key] = override.get_value_element_as_str()
    return constant, set(swept.values())


def find_existing_run(resume: str) -> str:
    """The directory; raises RunError where it holds no run."""
    directory = Path(resume)
    if directory.is_file():
        run = directory.parent.parent if directory.parent.name == "checkpoints" else "RUN"
        whole = shlex.quote(f"resume={run}")
        raise RunError(
            f"resume={resume} is a file. Give the run's directory, which continues from its last checkpoint: {whole}"
        )
    if not directory.is_dir():
        raise RunError(f"resume={resume}: there is no such directory")
    if not (directory / "config.yaml").is_file():
        raise RunError(f"resume={resume} is not a run directory: it has no config.yaml")
    if (directory / TAUGHT).is_file() and not (directory / "run.json").exists():
        raise RunError(f"resume={resume} holds a map of lta.teach, which can't go on: teach it again with overwrite=true")
    return str(directory)


def _run_directory(resume: str | None, fresh: str) -> str:
    if resume not in (None, "auto"):
        return find_existing_run(resume)
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        if by := _describe_separate_start():
            raise RunError(f"give hydra.run.dir=...: without it, the processes that {by} can't agree on a directory")
        return _claim_directory(fresh)
    from lta.runtime.rendezvous import agree_on_directory

    return agree_on_directory(fresh, _claim_directory)


def _claim_directory(fresh: str) -> str:
    """It, or where another run was begun in the same second, one that nobody has; made at once, so that it stays so."""
    Path(fresh).parent.mkdir(parents=True, exist_ok=True)
    for name in chain([fresh], (f"{fresh}_{number}" for number in count(2))):
        with suppress(FileExistsError):
            Path(name).mkdir()
            return name
    raise AssertionError("there is always another number")


def _describe_separate_start() -> str:
    """By whom several processes of this run were started that know nothing of each other yet; "" where there is one."""
    if "LOCAL_RANK" in os.environ:  # by Lightning, with the first one's command
        return ""
    if "NODE_RANK" in os.environ:
        return "are started on several machines"
    in_step = "SLURM_STEP_ID" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")
    return "srun starts" if in_step and int(os.environ.get("SLURM_NTASKS", 1)) > 1 else ""


def _split_sweep(overrides: Sequence[str], params: Mapping[str, Any] | None) -> dict[str, Any]:
    constant, swept = split_overrides(overrides, params)
    return {"constant": constant, "swept": sorted(swept)}


def _sweep_directory(sweep: Mapping[str, Any]) -> str:
    computed = {key: value for key, value in sweep["constant"].items() if not is_free(key)}
    return f"multirun/{sweep_name(computed, sweep['swept'])}"


class SweepNames(Callback):
    """A callback of Hydra: finds out what a sweep varies before it composes its first job, which varies nothing itself.

    `hydra.sweep.dir` asks for it where it is not given; a job gets what was found (`lta.of_sweep` is cached).
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        with suppress(InterpolationResolutionError):  # an error of the command line is said where the jobs are composed
            OmegaConf.select(config, "hydra.sweep.subdir")


def _job_directory(overrides: Sequence[str], sweep: Mapping[str, Any]) -> str:
    pairs = (override.partition("=") for override in overrides)
    return job_name({key: value for key, _, value in pairs if key not in sweep["constant"]})


def _choose_own_or(name: str, known: Sequence[str], other: str) -> str:
    """Of files of which some names have their own and all others share one."""
    return name if name in known else other


for _name, _resolver, _cached in (
    ("run_dir", _run_directory, True),  # cached: asked again, it would claim another one
    ("output_dir", lambda: str(find_run_directory()), False),
    ("log_name", ranks.log_name, False),
    ("log_level", lambda: "INFO" if ranks.is_first() else "WARNING", False),
    ("of_sweep", _split_sweep, True),  # cached: a job, which varies nothing itself, has what its sweep has found
    ("sweep_dir", _sweep_directory, False),
    ("job_dir", _job_directory, False),
    ("own_or", _choose_own_or, False),
):
    OmegaConf.register_new_resolver(f"lta.{_name}", _resolver, replace=True, use_cache=_cached)
