"""python run.py RUNS --clothing FOLDER --horses FOLDER: every run of the study (plan.py), one after another.

Each is an ordinary `lta run` in RUNS; what it says is in RUNS/logs. Libraries are imported once: runs are forked from this
process. What is finished is skipped, so the same command goes on after a stop. `--until HH:MM` begins no run after that.
RUNS/cost.csv gets the processor seconds of each run, which so begin after the imports.
"""

import argparse
import csv
import gc
import importlib
import os
import runpy
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported

from plan import DATA, KEPT, RATE_SEED, RATES, SEEDS, Run, choose_rates, list_rate_runs, list_runs

from lta.runtime.run_directory import read_finished_results

PRELOADED = (
    "hydra.main",
    "timm",
    "lta.callbacks.telemetry",
    "lta.data.cifar",
    "lta.data.image_folder",
    "lta.evaluators.localisation",
    "lta.evaluators.roles",
    "lta.inference.initialise",
    "lta.models.backbone_family",
    "lta.run.summary",
    "lta.training.adamw",
    "lta.training.cached_features",
    "lta.training.classifier",
    "lta.training.trainer",
    "lta.transforms.pretrained",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--clothing", type=Path, required=True)
    parser.add_argument("--horses", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="for the features; lta's own cache folder if not given")
    parser.add_argument("--until", help="HH:MM, of today")
    asked = parser.parse_args()
    places = {"clothing": str(asked.clothing.resolve())}
    more = [f"data.cache={asked.cache.resolve()}"] if asked.cache else []
    asked.runs.mkdir(parents=True, exist_ok=True)
    for module in PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # a child's collector leaves what is shared alone

    def train(runs: Sequence[Run]) -> dict[str, float]:
        """Validation errors of those that are finished now."""
        for run in runs:
            if asked.until and datetime.now().strftime("%H:%M") >= asked.until:
                sys.exit(f"stopped at {asked.until}, before {run.name}")
            train_one(asked.runs, run, [*run.list_settings(places), *more])
        found = {run.name: read_finished_results(asked.runs / run.name) for run in runs}
        return {name: results["history"][-1]["val/error"] for name, results in found.items() if results}

    rates: dict[str, Mapping[str, float]] = {}
    for seeds in SEEDS:
        for data in DATA:
            if data not in rates:
                train(
                    [Run(data, "uniform", "ABCD", RATES["ABD"][0], RATE_SEED)]
                )  # so that all levels are computed in one pass
                rates[data] = choose_rates(data, train(list_rate_runs(data)))
                print(f"{data}: rates {rates[data]}", flush=True)
            runs = list(list_runs(data, rates[data], seeds))
            train(runs)
            for run in runs:
                if (run.method, run.levels) == KEPT:
                    locate(asked.runs, run, asked.horses.resolve())


def train_one(folder: Path, run: Run, settings: Sequence[str]) -> None:
    """Nothing where it is finished. Ends this program where it fails."""
    directory = folder / run.name
    if read_finished_results(directory):
        return
    begun = directory.exists()
    seconds = fork_command("lta.run", [*settings, f"hydra.run.dir={directory}", "resume=auto"], folder, run.name)
    results = read_finished_results(directory)
    if results is None:
        sys.exit(f"{run.name} is not complete: see {folder / 'logs' / run.name}.log")
    if (run.method, run.levels) != KEPT:
        shutil.rmtree(directory / "checkpoints")
    if not begun:  # else it is the cost of the rest
        note_cost(folder, run.name, seconds)
    print(f"{run.name}: test/error {results['test']['error']:.2f} ({seconds:.1f} s of processor time)", flush=True)


def locate(folder: Path, run: Run, horses: Path) -> None:
    """How well the map finds horses, into the run's `evaluations`."""
    if any((folder / run.name / "evaluations").glob("localisation*.json")):
        return
    asked = [f"checkpoint={folder / run.name}", "evaluator=localisation", "evaluator.localisation.explanations=[]"]
    asked += ["data=mask_folder", f"data.root={horses}", "wandb=false", "device=cpu"]
    note_cost(folder, f"{run.name} on horses", fork_command("lta.evaluate", asked, folder, f"{run.name}-horses"))


def note_cost(folder: Path, name: str, seconds: float) -> None:
    with (folder / "cost.csv").open("a", newline="") as file:
        csv.writer(file).writerow([name, f"{seconds:.2f}"])


def fork_command(module: str, arguments: Sequence[str], folder: Path, name: str) -> float:
    """Does what `python -m MODULE ARGUMENTS` does, in a child; gives its processor seconds."""
    log = folder / "logs" / f"{name}.log"
    log.parent.mkdir(exist_ok=True)
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os._exit(become(module, arguments))
    before = signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    try:
        _, status, used = os.wait4(child, 0)
    finally:
        signal.signal(signal.SIGTERM, before)
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{name} ended with status {os.waitstatus_to_exitcode(status)}: see {log}")
    return used.ru_utime + used.ru_stime


def become(module: str, arguments: Sequence[str]) -> int:
    sys.argv = [module, *arguments]
    status = 1
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


if __name__ == "__main__":
    started = time.monotonic()
    main()
    print(f"all runs are there ({time.monotonic() - started:.0f} s)")
