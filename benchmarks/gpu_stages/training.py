"""Trainings: `python -m lta.run` in a process of its own, which a signal ends and the next call resumes."""

import csv
import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torchvision import datasets

from gpu_stages.settings import Settings
from gpu_stages.small_checkpoints import keep_network
from gpu_stages.stage import Absent, Unfinished
from lta.data.archives import data_root, find_path
from lta.runtime.run_directory import read_finished_results

STOPPING = 25.0
"""Seconds from the signal that asks a training to end to the one that ends it. It ends after the step that is computed."""

OFFICIAL = {"cifar10": datasets.CIFAR10, "cifar100": datasets.CIFAR100}


class Training(NamedTuple):
    """`choices`: what is trained, as lta's command line has it, without the data set. `at_most`: the bar of its test error,
    in percent."""

    name: str
    data: str
    choices: tuple[str, ...]
    at_most: float | None = None


def train(settings: Settings, training: Training, seconds: float) -> dict[str, Any]:
    """Trains it to its end, or for as long as `seconds` allow: then raises Unfinished. Raises Absent without the official
    data, and RuntimeError with the last line of what was said where the training fails."""
    directory = settings.out / "trainings" / training.name
    overrides = choose_overrides(settings, training)
    command = [sys.executable, "-m", "lta.run", *overrides, f"hydra.run.dir={directory.resolve()}", "resume=auto"]
    begun, before = time.monotonic(), read_rows(directory)
    if read_finished_results(directory) is None:
        run_until(command, directory.with_suffix(".log"), seconds)
    rows, results = read_rows(directory), read_finished_results(directory)
    found = {"command": ["python", "-m", "lta.run", *overrides], **describe_rows(rows)}
    if results is None:
        raise Unfinished(found, estimate_rest(rows, len(before), time.monotonic() - begun, find_epochs(directory)))
    kept = settings.out / "networks" / f"{training.name}.ckpt"
    if not kept.is_file():
        keep_network(directory, kept)
    test = results["test"]
    found |= {
        "test_error": test["error"],
        "test_images": results["test_images"],
        **{key: results[key] for key in ("epochs", "precision", "parameters", "training_flops", "coding")},
    }
    if training.at_most is not None:
        found |= {"at_most": training.at_most, "met": test["error"] <= training.at_most}
    return found


def choose_overrides(settings: Settings, training: Training) -> list[str]:
    """The dry run takes two steps of a tiny network, on made-up pictures where the official ones are not there."""
    there = has_official(training.data)
    if not settings.is_dry:
        if not there:
            folder = OFFICIAL[training.data].base_folder
            raise Absent(f"neither {folder}/ nor its archive is below LTA_DATA_ROOT (if that is not set, below data/)")
        return [*training.choices, f"data={training.data}", "data.download=false", "trainer=gpu", "logger=csv"]
    tiny = ["model.width=0.0625", "recipe.epochs=1", "data.batch_size=16", "trainer=cpu", "logger=csv"]
    tiny += ["recipe.lookahead=false"] if "recipe=air" in training.choices else []
    if there:
        limits = [f"+trainer.limit_{part}_batches={most}" for part, most in (("train", 2), ("val", 1), ("test", 1))]
        return [*training.choices, f"data={training.data}", "data.download=false", *tiny, *limits]
    sizes = [f"data.{part}_size={count}" for part, count in (("train", 32), ("val", 16), ("test", 16))]
    choices = [choice for choice in training.choices if not choice.startswith("data.")]
    return [*choices, "data=digit_scenes", *tiny, *sizes]


def has_official(name: str) -> bool:
    official = OFFICIAL[name]
    return any(find_path(data_root(None), name, wanted) for wanted in (official.base_folder, official.filename))


def run_until(command: Sequence[str], log: Path, seconds: float) -> None:
    """Ends the command by SIGTERM so long before `seconds` are over that it can end by itself, and then by force. Whatever
    ends this process, the command ends too. Raises RuntimeError where it fails on its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    patience = min(STOPPING, seconds / 4)
    with log.open("a") as file:
        child = subprocess.Popen(command, stdout=file, stderr=file, preexec_fn=_make_die_with_parent())
        try:
            status = child.wait(max(seconds - patience, 1))
        except subprocess.TimeoutExpired:
            return
        finally:
            _end(child, 0.8 * patience)
    if status:
        lines = log.read_text().strip().splitlines() or ["it said nothing"]
        raise RuntimeError(f"ended with status {status}: {lines[-1]} (see {log.name})")


def _end(child: subprocess.Popen, patience: float) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(patience)
        except BaseException as error:
            child.kill()
            child.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise


def _make_die_with_parent() -> Any:
    """Under Linux, what a child does before it starts: without it, a training would go on where this process is killed, and
    keep the next call out of its directory."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent_died = ctypes.CDLL(None).prctl, 1
    return lambda: prctl(parent_died, signal.SIGKILL)


def read_rows(directory: Path) -> list[dict[str, str]]:
    """Of its metrics.csv, one a complete epoch; [] before the first."""
    path = directory / "metrics.csv"
    if not path.is_file():
        return []
    with path.open() as file:
        return list(csv.DictReader(file))


def describe_rows(rows: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Epochs that are complete, their seconds, images a second of all but the first of them, and the test errors that were
    looked at on the way."""
    if not rows:
        return {"epochs_done": 0}
    done, seconds = float(rows[-1]["time/images"]), float(rows[-1]["time/seconds"])
    first = rows[0] if len(rows) > 1 else {"time/images": "0", "time/seconds": "0"}
    rate = (done - float(first["time/images"])) / (seconds - float(first["time/seconds"]))
    looked = [float(row["test_each_epoch/error"]) for row in rows if row.get("test_each_epoch/error")]
    about = {"epochs_done": len(rows), "training_seconds": seconds, "images_per_second": rate}
    return about | ({"test_error_by_epoch": looked} if looked else {})


def find_epochs(directory: Path) -> int | None:
    """How many it is to have; None before it has begun."""
    import yaml

    config = directory / "config.yaml"
    return yaml.safe_load(config.read_text())["recipe"]["epochs"] if config.is_file() else None


def estimate_rest(rows: Sequence[dict[str, str]], before: int, taken: float, epochs: int | None) -> float | None:
    """Seconds until its end, by the epochs of this call; None where there were none."""
    new = len(rows) - before
    return taken / new * (epochs - len(rows)) if epochs and new else None
