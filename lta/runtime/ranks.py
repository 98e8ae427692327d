"""Which of a run's processes this one is, as its environment says, before Lightning knows. Imports no torch."""

import os
import threading
import time
from collections.abc import Mapping


def find_rank(environment: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """(node, rank on the node, or rank over all where that is known: then node is 0). (0, 0) is the first process.

    torchrun sets RANK; Lightning LOCAL_RANK for the processes it starts (and the user NODE_RANK for each further
    machine); srun SLURM_PROCID, which stays as it is where Lightning starts processes inside a job.
    """
    if "RANK" in environment:
        return 0, int(environment["RANK"])
    node = int(environment.get("NODE_RANK", environment.get("GROUP_RANK", 0)))
    if "LOCAL_RANK" in environment:
        return node, int(environment["LOCAL_RANK"])
    if node == 0:
        return 0, int(environment.get("SLURM_PROCID", 0))
    return node, 0


def is_first() -> bool:
    """Whether this is the first process of the run."""
    return find_rank() == (0, 0)


def log_name() -> str:
    """Of this process's own log: run.log, run_rank1.log, run_node1_rank0.log."""
    node, rank = find_rank()
    if (node, rank) == (0, 0):
        return "run.log"
    return f"run_rank{rank}.log" if node == 0 else f"run_node{node}_rank{rank}.log"


def is_started_by_lightning() -> bool:
    """Whether a first process on this machine has started this one, and is its parent."""
    return int(os.environ.get("LOCAL_RANK", 0)) > 0 and not {"TORCHELASTIC_RUN_ID", "RANK"} & set(os.environ)


def end_with_parent(every: float = 1.0) -> None:
    """Ends this process when its parent has gone: a killed first process leaves no others waiting for it forever."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(every)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
