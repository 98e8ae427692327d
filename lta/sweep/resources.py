"""What each place of a sweep has to itself: its share of the GPUs and of the CPU's cores, and its environment."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

LEFT_OUT = {
    "LOCAL_RANK",
    "NODE_RANK",
    "GROUP_RANK",
    "RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "PL_GLOBAL_SEED",
    "PL_SEED_WORKERS",
    "WANDB_SERVICE",
    "WANDB_RUN_ID",
    "SLURM_NTASKS",
    "SLURM_NPROCS",
    "SLURM_NTASKS_PER_NODE",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_NNODES",
    "SLURM_STEP_ID",
}
"""Of another run: a job that inherited them would take itself for a part of it."""


@dataclass(frozen=True)
class Slot:
    """A place that one job after the other takes."""

    gpus: tuple[str, ...] = ()  # as CUDA_VISIBLE_DEVICES names them; none: the job sees what the sweep sees
    cores: tuple[int, ...] = ()


def visible_gpus(environment: Mapping[str, str]) -> list[str]:
    """The GPUs that a process with this environment may use, by the names that CUDA_VISIBLE_DEVICES takes.

    Asks the driver's tool, not torch: importing that takes seconds and hundreds of megabytes. Raises ValueError where the
    tool does not answer.
    """
    if "CUDA_VISIBLE_DEVICES" in environment:
        names = [name.strip() for name in environment["CUDA_VISIBLE_DEVICES"].split(",")]
        hidden = next((i for i, name in enumerate(names) if name in ("", "-1")), len(names))
        return names[:hidden]  # CUDA ignores what follows one that it can't read
    tool = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if tool is None:
        return []
    try:
        listed = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=30)
    except subprocess.TimeoutExpired as error:
        raise ValueError("nvidia-smi -L gives no answer: set CUDA_VISIBLE_DEVICES to the GPUs to be used") from error
    lines = listed.stdout.splitlines() if listed.returncode == 0 else []  # it fails where there is a driver but no GPU
    return [str(i) for i in range(sum(line.startswith("GPU ") for line in lines))]


def visible_cores() -> list[int]:
    """The CPU cores that this process may use, by number."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def count_gpus(trainer: Mapping[str, Any]) -> int:
    """How many GPUs a job with this `trainer` configuration must see: for a list of indices, up to the highest."""
    if trainer.get("accelerator") not in ("auto", "gpu"):
        return 0
    devices = trainer.get("devices")
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        return max((int(index) + 1 for index in devices if isinstance(index, int)), default=1)
    return count_processes(trainer)


def count_processes(trainer: Mapping[str, Any]) -> int:
    """How many processes the job is; 1 where the trainer will refuse its setting."""
    devices = trainer.get("devices")
    if isinstance(devices, Sequence) and not isinstance(devices, str):
        return max(len(devices), 1)
    return devices if isinstance(devices, int) and devices > 0 else 1


def make_slots(number: int, gpus: Sequence[str], cores: Sequence[int]) -> list[Slot]:
    """`number` slots; where they are more than GPUs or cores, several share one."""
    return [Slot(_take_share(i, number, gpus), _take_share(i, number, cores)) for i in range(number)]


def _take_share(i: int, number: int, things: Sequence[Any]) -> tuple[Any, ...]:
    if number > len(things):
        return tuple(things[i % len(things) : i % len(things) + 1]) if things else ()
    each = len(things) // number
    return tuple(things[i * each : (i + 1) * each])


def count_processes_in_slot(slot: Slot, trainer: Mapping[str, Any]) -> int:
    """How many processes the job is there: `devices=auto` takes each GPU that it sees."""
    every = trainer.get("devices") == "auto" and trainer.get("accelerator") in ("auto", "gpu")
    return max(len(slot.gpus), 1) if every else count_processes(trainer)


def job_environment(base: Mapping[str, str], slot: Slot, processes: int) -> dict[str, str]:
    """`base`, without what belongs to another run, for a job of so many processes in this slot."""
    own = {name: value for name, value in base.items() if name not in LEFT_OUT}
    if slot.gpus:
        own["CUDA_VISIBLE_DEVICES"] = ",".join(slot.gpus)
    own.setdefault("OMP_NUM_THREADS", str(max(len(slot.cores) // processes, 1)))
    own.setdefault("PYTHONUNBUFFERED", "1")  # its console.log can be followed
    return own


@contextmanager
def pin_to_cores(cores: Sequence[int]) -> Iterator[None]:
    """Processes started inside run on these cores only, where the system has that."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
