"""What a run leaves behind: its configuration, where it came from, its results; and finding them again."""

import logging
import math
import os
import platform
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

import lta
from lta import checks
from lta.runtime.files import read_json, write_json, write_text
from lta.runtime.plain_yaml import parse_yaml
from lta.runtime.provenance import describe_machine, source_state
from lta.runtime.ranks import is_first

log = logging.getLogger(__name__)

CHECKPOINTS = ("last", "best")

PREVIOUS = {"last.ckpt": "previous.ckpt"}
"""What a checkpoint is kept as when the next one of its name is written."""

WHERE = frozenset(
    {
        "accelerator",
        "devices",
        "num_nodes",
        "strategy",
        "sync_batchnorm",
        "precision",
        "compile",
        "profiler",
        "benchmark",
        "deterministic",
        "detect_anomaly",
        "log_every_n_steps",
        "max_time",
    }
)
"""Options of `trainer` that say where, how and until when a run is computed; any other (`limit_train_batches`,
`gradient_clip_val`) is a setting of the experiment."""

OWN_SIDE = 32
"""Pixels of a side of CIFAR's pictures, for which the networks of lta were made."""

OWN_MODELS = ("lta.models.vgg_family.", "lta.models.air_family.", "lta.models.resnet_family.")

RESULTS = "results.json"

ABSENT = "nothing"
"""How a setting is named that is not there."""

LIBRARIES = ("torch", "torchvision", "pytorch-lightning", "torchmetrics", "hydra-core", "wandb", "numpy", "scikit-learn")


PATIENCE = 0.5
"""Seconds that a start waits for the directory's lock: whoever asks `is_being_run` holds it for a moment."""


@contextmanager
def lock_directory(directory: Path, own: bool = False) -> Iterator[None]:
    """Inside, no other run gets into `directory`, until this process has ended, however it ends.

    One of its `own`, that was made for this run and named by nobody, goes again if it ends by an error before the run has
    begun. Only a run's first process asks. Raises ValueError where another run is in there.
    """
    if not is_first():
        yield
        return
    from filelock import FileLock, Timeout  # here: `--cfg job` needs none of it, and it takes its time

    try:
        with FileLock(directory / ".lock", timeout=PATIENCE):
            try:
                yield
            except BaseException:
                if own:
                    remove_unbegun(directory)
                raise
    except Timeout as error:
        raise ValueError(f"{directory} is being run by another process (which holds its .lock)") from error


def is_being_run(directory: Path) -> bool:
    """Whether a process holds the directory's lock now."""
    from filelock import FileLock, Timeout  # see `lock_directory`

    if not (lock := directory / ".lock").exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def remove_unbegun(directory: Path) -> None:
    """Of a run that ended before it began: where there are logs only (`ranks.log_name`)."""
    with suppress(OSError):  # another process of the run may still write there
        made = list(directory.iterdir())
        if all(path.name == ".lock" or re.fullmatch(r"run(_node\d+)?(_rank\d+)?\.log", path.name) for path in made):
            for path in made:
                path.unlink()
            directory.rmdir()


def begin(
    directory: Path,
    config: dict[str, Any],
    overrides: Sequence[str],
    resumed: bool,
    precision: str,
    choices: Mapping[str, Any],
    own_code: Sequence[Path] = (),
    init_from: Mapping[str, Any] | None = None,
) -> None:
    """Records a start: `config.yaml` (once) and one entry in `run.json` with command, versions, commit, machine, precision.

    `overrides` are what was asked for on the command line; `choices`, what was chosen from each group of conf/, are recorded
    with the first start: a resumed run keeps its configuration, whatever its command would have chosen. `own_code`:
    files and folders beside lta's that the version of the code is of. `init_from`: what weights it began with. Raises
    ValueError where the directory already holds a run and this is no resume: nothing is overwritten. To be called by the
    process that holds the directory's lock.
    """
    from importlib.metadata import PackageNotFoundError, version  # here, as it takes its time

    def find_versions() -> Iterator[tuple[str, str]]:
        for name in LIBRARIES:
            with suppress(PackageNotFoundError):  # a run without W&B needs no wandb
                yield name, version(name)

    if not resumed:
        if (directory / "config.yaml").exists():
            raise ValueError(
                f"{directory} already holds a run: resume it with {shlex.quote(f'resume={directory}')}, or choose another "
                "hydra.run.dir"
            )
        write_text(directory / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    starts = starts_of(directory)
    starts.append(
        {
            "command": ["python", "-m", "lta.run", *sys.argv[1:]],
            "overrides": list(overrides),
            **({} if resumed else {"choices": _select_choices(choices)}),
            **({"init_from": dict(init_from)} if init_from else {}),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "lta": lta.__version__,
            **source_state(own_code),
            "python": platform.python_version(),
            "libraries": dict(find_versions()),
            "machine": describe_machine(),
            "precision": precision,
        }
    )
    write_json(directory / "run.json", {"starts": starts})


def _select_choices(choices: Mapping[str, Any]) -> dict[str, str]:
    """Those of one file, of lta's groups and not of Hydra's own or of a folder below a group's."""
    return {group: choice for group, choice in choices.items() if isinstance(choice, str) and not set("/@") & set(group)}


def find_saved_precision(directory: Path) -> str | None:
    """In which a run was computed, where there is something of it to go on with; None where nobody knows.

    Of runs of versions that did not record it, what their results or their configuration say.
    """
    kept = directory / "checkpoints" / "last.ckpt"
    if not kept.is_file() and not kept.with_name(PREVIOUS[kept.name]).is_file():
        return None
    recorded = [start["precision"] for start in starts_of(directory) if "precision" in start]
    if recorded:
        return recorded[-1]
    if found := (read_results(directory) or {}).get("precision"):
        return found
    config = directory / "config.yaml"
    saved = parse_yaml(config.read_text(encoding="utf-8"))["trainer"].get("precision") if config.is_file() else None
    return None if saved == "auto" else saved


def starts_of(directory: Path) -> list[dict[str, Any]]:
    """What `begin` has recorded, the first start first; [] where nothing was begun."""
    record = directory / "run.json"
    return read_json(record)["starts"] if record.is_file() and record.stat().st_size else []


def is_free(key: str) -> bool:
    """Whether a setting, by its dotted key, may change without making another run of it: what it goes on with, what code is
    trusted, and where and how it is computed."""
    part, _, option = key.lstrip("+").partition(".")
    return part in ("resume", "trust") or (part == "trainer" and option.partition(".")[0] in {"", "_target_", *WHERE})


def find_difference(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    """The first setting in which two configurations differ, as (key, saved value, asked value); None if in none.

    What is free (`is_free`) is not looked at.
    """
    one, other = (
        {key: value for key, value in _leaves(spell_out_image_size(config)) if not is_free(key)} for config in (saved, asked)
    )
    for key in dict.fromkeys([*other, *one]):
        if one.get(key, ABSENT) != other.get(key, ABSENT):
            return key, one.get(key, ABSENT), other.get(key, ABSENT)
    return None


def spell_out_image_size(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """With the size of pictures that a network of lta's own takes if none is said; runs were once told it in words."""
    data, model = config.get("data"), config.get("model")
    if not isinstance(data, Mapping) or not isinstance(model, Mapping) or data.get("image_size", OWN_SIDE) is not None:
        return config
    of_lta = str(model.get("_target_")).startswith(OWN_MODELS)
    return {**config, "data": {**data, "image_size": OWN_SIDE}} if of_lta else config


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, node


def find_checkpoint(directory: Path, which: str) -> Path:
    """The `last` checkpoint, or the `best` of the validation set; raises ValueError where there is none."""
    path = directory / "checkpoints" / f"{which}.ckpt"
    if has_checkpoint(directory, which):
        if is_first() and (why := describe_divergence(read_results(directory) or {})):
            log.warning("%s: %s; the checkpoint is from before that", directory, why)
        return path
    if not (directory / "config.yaml").is_file():
        raise ValueError(f"{directory} is not a run directory: it has no config.yaml")
    before = path.with_name(PREVIOUS.get(path.name, path.name))
    if before.is_file():
        raise ValueError(f"{directory} has no {which} checkpoint; {before} is from the epoch before")
    when = "an epoch" if which == "last" else "an epoch, where there is a validation set (data.val_size)"
    raise ValueError(f"{directory} has no {which} checkpoint: it is written after {when}")


def has_checkpoint(directory: Path, which: str) -> bool:
    """Raises ValueError where `which` is not of CHECKPOINTS."""
    checks.require_choice("which", which, CHECKPOINTS)
    return (directory / "checkpoints" / f"{which}.ckpt").is_file()


def describe_way_on(directory: Path, own_code: str = "") -> str:
    """How to go on with a run that was stopped. `own_code`: what the command needs beside `resume=`."""
    name = os.path.relpath(directory) if directory.is_relative_to(Path.cwd()) else str(directory)
    again = f"{shlex.quote(f'resume={name}')}{own_code}"
    kept = directory / "checkpoints" / "last.ckpt"
    if read_results(directory) is not None:
        rest = "" if read_finished_results(directory) else f"; {again} asks and sends what is missing"
        return f"its results are in {name}{rest}"
    if kept.is_file() or kept.with_name(PREVIOUS[kept.name]).is_file():
        return f"{again} goes on from the last complete epoch"
    if (directory / "config.yaml").is_file():
        return f"{again} begins it again: no epoch was complete"
    return "nothing was begun"


def is_prolonged(directory: Path, epochs: int | None) -> bool:
    """Whether the run in `directory` was configured for another number of epochs (a recipe of one's own may have none)."""
    config = parse_yaml((directory / "config.yaml").read_text(encoding="utf-8"))
    return config["recipe"].get("epochs") != epochs


def prolong(directory: Path, epochs: int) -> None:
    """Makes it a run of so many epochs, which is not complete; to be called as `begin`."""
    path = directory / "config.yaml"
    config = parse_yaml(path.read_text(encoding="utf-8"))
    config["recipe"]["epochs"] = epochs
    if (found := read_results(directory)) is not None:
        write_results(directory, found, complete=False)
    write_text(path, yaml.safe_dump(config, sort_keys=False))


def read_results(directory: Path) -> dict[str, Any] | None:
    """What a run's test found; None where it did not come to that, also where the file can't be read that a full disk or a
    power failure has left, which is said: the test is done again."""
    path = directory / RESULTS
    if not path.is_file():
        return None
    try:
        found = read_json(path)
    except ValueError as error:
        log.warning("%s; the run counts as not tested", error)
        return None
    return found if isinstance(found, dict) else None


def describe_divergence(results: Mapping[str, Any]) -> str | None:
    """In words, where these results are of a training that has diverged; None of others.

    Versions that did not stop such a run tested it: its test loss is no number.
    """
    of, test = results.get("diverged"), results.get("test")
    if isinstance(of, Mapping) and isinstance(of.get("epoch"), int):
        return f"it has diverged: {of.get('what')} is not a finite number since epoch {of['epoch'] + 1}"
    loss = test.get("loss", 0.0) if isinstance(test, Mapping) else 0.0
    if loss is None or (isinstance(loss, float) and not math.isfinite(loss)):
        return "it has diverged: its test loss is not a finite number"
    return None


def write_results(directory: Path, found: Mapping[str, Any], complete: bool) -> None:
    """`complete`: evaluators are answered and everything is sent, so that there is nothing to go on with."""
    write_json(directory / RESULTS, {**found, "complete": complete})


def read_finished_results(directory: Path) -> dict[str, Any] | None:
    """The results of a run that is complete (so are those of versions that did not write it down); None of another."""
    found = read_results(directory)
    return found if found and found.get("complete", True) else None
