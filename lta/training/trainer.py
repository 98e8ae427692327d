"""The Lightning trainer, with hardware and precision chosen for one person with one machine unless told otherwise."""

import inspect
import logging
import os
import subprocess
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ProgressBar, Timer
from pytorch_lightning.plugins.environments import (
    SLURMEnvironment,  # pyright: ignore[reportPrivateImportUsage] documented, not listed
    TorchElasticEnvironment,  # pyright: ignore[reportPrivateImportUsage] the same
)
from pytorch_lightning.strategies import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from lta import checks
from lta.runtime.run_directory import PREVIOUS, find_saved_precision
from lta.training.checkpoint_io import WholeFiles
from lta.training.compiled import choose_compile
from lta.training.devices import (
    ACCELERATORS,
    bfloat16_is_faster,
    choose_accelerator,
    choose_devices,
    choose_nodes,
    choose_sync_batchnorm,
)
from lta.training.shared_directory import SharedDirectory
from lta.training.sync_batchnorm import SyncEqualShares
from lta.training.unprofiled import NoProfiler

log = logging.getLogger(__name__)

PRECISIONS = ("auto", "32-true", "bf16-mixed", "16-mixed", "64-true")


def build_trainer(
    epochs: int,
    directory: str,
    callbacks: Sequence[pl.Callback] = (),
    accelerator: str = "auto",
    devices: int | str | Sequence[int] = 1,
    num_nodes: int | str = 1,
    strategy: str = "auto",
    precision: str = "auto",
    sync_batchnorm: bool | str = "auto",
    profiler: Any = None,
    compile: bool | str = False,
    **options: Any,
) -> pl.Trainer:
    """A trainer for `epochs` that writes below `directory`; `options` go to `pytorch_lightning.Trainer` as they are.

    `devices=1` takes one device, so that several GPUs are used only when asked for; see `lta.training.devices` for
    "auto". `precision="auto"` is that of the run in `directory`; of a new run bf16-mixed where the device is faster in
    bfloat16 (see there), else 32-true. `compile`: see `lta.training.compiled`. With `deterministic`,
    `benchmark` is off: cuDNN would choose kernels by their time, which is another one in each run. What was chosen is
    logged in one line. `max_time` is Lightning's, but for that it ends the training at the end of an epoch: one that was cut
    short could not be gone on with exactly.
    """
    checks.require_choice("trainer.accelerator", accelerator, ACCELERATORS)
    checks.require_choice("trainer.precision", precision, PRECISIONS)
    accelerator = choose_accelerator(accelerator)
    compiling = choose_compile(compile, accelerator)
    devices, num_nodes = choose_devices(devices, accelerator), choose_nodes(num_nodes)
    processes = num_nodes * (devices if isinstance(devices, int) else len(devices))
    sync_batchnorm = choose_sync_batchnorm(sync_batchnorm, accelerator, processes)
    if options.get("deterministic") and options.get("benchmark"):
        log.info("deterministic: trainer.benchmark is off, because it would choose kernels by speed")
        options["benchmark"] = False
    if precision == "auto":
        precision = _precision(Path(directory), "bf16-mixed" if bfloat16_is_faster(accelerator, devices) else "32-true")
    if precision == "16-mixed" and accelerator == "cpu":
        raise ValueError("trainer.precision=16-mixed needs a GPU; on the CPU, give bf16-mixed or 32-true")
    _quieten_lightning()
    limit = options.pop("max_time", None)
    limits = [make_timer(limit)] if limit is not None else []
    trainer = pl.Trainer(
        max_epochs=epochs,
        default_root_dir=directory,
        callbacks=[SharedDirectory(directory), *callbacks, *limits, *compiling],
        logger=False,  # given when the run directory is begun
        plugins=[WholeFiles(PREVIOUS), *_make_slurm_plugins(), *([SyncEqualShares()] if sync_batchnorm else [])],
        accelerator=accelerator,
        devices=devices,
        num_nodes=num_nodes,
        strategy=_strategy(strategy, processes),
        precision=precision,  # pyright: ignore[reportArgumentType] checked above
        sync_batchnorm=sync_batchnorm,
        profiler=profiler or NoProfiler(),
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        enable_model_summary=False,
        use_distributed_sampler=False,  # the data module shares out whole batches itself
        num_sanity_val_steps=0,
        **options,
    )
    _check_world(trainer, processes)
    if trainer.is_global_zero:
        log.info("device: %s x %s, precision %s", accelerator, _describe_devices(devices, num_nodes), precision)
        if processes > 1:
            log.info("batch norm: statistics %s", "of all processes together" if sync_batchnorm else "of each process apart")
    else:
        log.info("process %d of %d", trainer.global_rank, processes)
    return trainer


def make_timer(limit: Any) -> Timer:
    """Raises ValueError where `limit` is no duration."""
    try:
        return Timer(dict(limit) if isinstance(limit, Mapping) else limit, interval="epoch", verbose=False)
    except (MisconfigurationException, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"trainer.max_time={limit} must be days, hours, minutes and seconds: 00:01:30:00, or {{hours: 1, minutes: 30}}"
        ) from error


def has_run_out_of_time(trainer: pl.Trainer) -> bool:
    """Whether `trainer.max_time` has ended the training before its last epoch."""
    timers = [callback for callback in trainer.callbacks if isinstance(callback, Timer)]  # pyright: ignore[reportAttributeAccessIssue] set when it is made
    over = any((timer.time_remaining() or 0.0) <= 0 for timer in timers)
    return over and trainer.max_epochs is not None and trainer.current_epoch < trainer.max_epochs


def _precision(directory: Path, fast: str) -> str:
    """A run that goes on elsewhere keeps the precision that it has: half an experiment in another is another experiment."""
    begun = find_saved_precision(directory)
    if begun not in (None, fast):
        log.info("precision: %s, as before; a new run would use %s here (trainer.precision=%s)", begun, fast, fast)
    return begun or fast


def _check_world(trainer: pl.Trainer, processes: int) -> None:
    """Lightning believes who has started the processes, and a trainer for one device looks at nobody."""
    started, by = trainer.world_size, "Lightning"
    if TorchElasticEnvironment.detect():
        started, by = int(os.environ["WORLD_SIZE"]), "torchrun"
    elif SLURMEnvironment.detect():
        if "SLURM_STEP_ID" in os.environ:
            started, by = int(os.environ["SLURM_NTASKS"]), "srun"
        elif processes > 1:  # Lightning would wait for processes that nobody starts
            raise ValueError(
                f"trainer.devices and trainer.num_nodes ask for {processes} processes, and in a Slurm job srun starts them: "
                "put srun before the command (or unset SLURM_NTASKS, so that on one machine this process starts the others)"
            )
    if started != processes:
        raise ValueError(
            f"trainer.devices and trainer.num_nodes ask for {processes} process{'es' * (processes > 1)}, "
            f"but {by} starts {started}: make them equal (trainer=ddp takes what is started)"
        )


def _strategy(asked: str, processes: int) -> str | DDPStrategy:
    if asked not in ("auto", "ddp") or processes == 1:
        return asked
    # Running statistics are averaged once an epoch, by the classifier; everything else that is kept is alike.
    known = inspect.signature(DistributedDataParallel).parameters
    at_each_step = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # before torch 2.13
    options: dict[str, Any] = {at_each_step: False}
    return DDPStrategy(gradient_as_bucket_view=True, **options)


def _make_slurm_plugins() -> list[SLURMEnvironment]:
    """Lightning would put a preempted job back into the queue with a checkpoint from the middle of an epoch."""
    if TorchElasticEnvironment.detect() or not SLURMEnvironment.detect():
        return []
    try:
        return [SLURMEnvironment(auto_requeue=False)]
    except RuntimeError as error:
        raise ValueError(f"Slurm: {error}") from error


def _describe_devices(devices: int | Sequence[int], num_nodes: int) -> str:
    return str(devices) if num_nodes == 1 else f"{devices} on each of {num_nodes} nodes"


def end_processes(trainer: pl.Trainer, grace: float = 3.0) -> None:
    """Ends what Lightning has started for a run that failed or was stopped, after `grace` seconds by force."""
    started = getattr(trainer.strategy.launcher, "procs", [])
    processes = list(started)
    started.clear()  # Lightning's observer of these would kill this process too, before it could say why it ends
    deadline = time.monotonic() + grace
    for rank, process in enumerate(processes, 1):
        if process.poll():
            log.error("process %d of this run ended before, with status %d", rank, process.returncode)
        try:
            process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _quieten_lightning() -> None:
    """Drops advice that does not hold here; what was chosen is said in lines of our own."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for message in (
        r".*does not have many workers.*",  # batches are gathered from memory: workers would only copy them
        r".*smaller than the logging interval.*",  # rows are logged once an epoch
        r".*treespec.*LeafSpec.*",  # between Lightning and torch
        r".*It is recommended to use `self.log.*sync_dist=True.*",  # metrics are already reduced over processes
        r".*all_gather is deprecated.*",  # between Lightning and torch
        r".*callbacks used to create the checkpoint need to be provided.*",  # a timer that is gone
        r".*module\(s\) in eval mode at the start of training.*",  # a frozen backbone
        r".*Checkpoint directory .* exists and is not empty.*",  # a resumed run
        r".*You have overridden `transfer_batch_to_device` in `LightningModule`.*",  # it is meant (kept features)
    ):
        warnings.filterwarnings("ignore", message)
