"""Answers of evaluators in a run's directory: which run, on what, by whom, and where they are written."""

import glob
import math
import os
import shutil
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch

import lta
from lta.cli.plugins import find_own_code
from lta.cli.saved import withhold_places
from lta.data.adapted import adapt
from lta.data.errors import DataError
from lta.data.fingerprint import check_untrained, digest_fingerprint
from lta.data.label_sets import describe_change
from lta.data.network_size import fill_image_size
from lta.evaluators.evaluator import Evaluator, NotApplicable, Result, check_asked_of_labels
from lta.inference.checkpoint import Checkpoint, read_checkpoint, restore_classifier
from lta.instantiate import build
from lta.measures.label_sets import gives_several_labels
from lta.protocols import Splits, TrainedClassifier
from lta.runtime import ranks, run_directory
from lta.runtime.console import format_duration
from lta.runtime.files import read_json, write_json, write_text
from lta.runtime.provenance import code_version
from lta.runtime.spreadsheets import render_table

FOLDER = "evaluations"
NOT_ASKED = ("batch_size", "eval_batch_size", "cache", "seed", "download", "verify")
"""Settings of data that make no other question of it."""


class Network(NamedTuple):
    """A trained network: the run directory it belongs to (of a lone file, the file's folder) and its checkpoint."""

    directory: Path
    checkpoint: Path
    of_pattern: bool = False


def find_networks(asked: str | Sequence[str], which: str) -> list[Network]:
    """Of each path or pattern: the run directories or checkpoint files; raises ValueError where there is none."""
    found: list[Network] = []
    for entry in [asked] if isinstance(asked, str) else asked:
        pattern = glob.has_magic(str(entry)) and not os.path.lexists(entry)
        found += _match_pattern(str(entry), which) if pattern else [_network(Path(entry), which)]
    named = {network.checkpoint: network for network in found if not network.of_pattern}
    return list({network.checkpoint: named.get(network.checkpoint, network) for network in found}.values())


def _match_pattern(pattern: str, which: str) -> Iterator[Network]:
    """Those of its runs that have the checkpoint; the others are named. A sweep's directory holds files beside its runs."""
    paths = [Path(path) for path in sorted(glob.glob(pattern))]
    paths = [path for path in paths if path.suffix == ".ckpt" or (path / "config.yaml").is_file()]
    if not paths:
        raise ValueError(f"checkpoint={pattern}: no run directory or .ckpt file has such a name")
    lacking = [path for path in paths if path.is_dir() and not run_directory.has_checkpoint(path, which)]
    if len(lacking) == len(paths):
        raise ValueError(f"checkpoint={pattern}: none of {len(paths)} runs has a {which} checkpoint")
    for path in lacking:
        if ranks.is_first():
            print(f"left out: {path} has no {which} checkpoint")
    yield from (_network(path, which)._replace(of_pattern=True) for path in paths if path not in lacking)


def _network(path: Path, which: str) -> Network:
    if path.is_dir():
        return Network(path, run_directory.find_checkpoint(path, which))
    if not path.is_file():
        raise ValueError(f"checkpoint={path}: there is no such file or run directory")
    inside = path.parent.name == "checkpoints" and (path.parent.parent / "config.yaml").is_file()
    return Network(path.parent.parent if inside else path.parent, path)


@contextmanager
def join_processes(device: torch.device) -> Iterator[None]:
    """Under torchrun, its processes share the work."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def evaluate(
    network: Network,
    evaluators: Mapping[str, Evaluator],
    device: torch.device,
    data_config: dict[str, Any] | None,
    precision: str,
) -> dict[str, Result]:
    """Loads the network and the data (its own where `data_config` is None, or with these settings where that names no
    class), asks, writes, and prints the answers.

    Of a pattern's network, questions that can't be asked of it are left out, and named; of another, they are NotApplicable.
    """
    content = read_checkpoint(network.checkpoint)
    hparams = content["hyper_parameters"]
    classifier = restore_classifier(Checkpoint(network.checkpoint, content)).to(device)
    own = withhold_places(hparams["config"]["data"], "data", network.checkpoint)
    config = _complete(data_config or {}, own, network)
    data = adapt(build(fill_image_size(config, hparams["image_size"])), config)
    data.read()
    try:
        said = check_untrained(hparams.get("pictures"), data, same_names=data_config is None)
    except DataError as error:
        if not network.of_pattern:
            raise
        print_left_out(", ".join(evaluators), network, error)
        return {}
    if data_config is None:
        said = "; ".join(filter(None, (said, describe_change(hparams.get("labels"), data))))
    if said and ranks.is_first():
        print(f"{network.directory}: {said}", flush=True)
    asked = {}
    for name, evaluator in evaluators.items():
        try:
            _check_size(hparams["image_size"], data)
            _check_labels(name, evaluator, classifier)
            evaluator.check(classifier, data)
            asked[name] = evaluator
        except NotApplicable as error:
            if not network.of_pattern:
                raise
            print_left_out(name, network, error)
    question = describe_question(network, content["epoch"], config, precision)
    return answer_all(network, asked, classifier, data, question, program="lta.evaluate")


def _complete(given: Mapping[str, Any], own: Mapping[str, Any], network: Network) -> dict[str, Any]:
    """The data that are asked for; raises ValueError for a setting that the network's own data have not."""
    if "_target_" in given:
        return dict(given)
    for key in given:
        if key not in own:
            listed = ", ".join(name for name in own if not name.startswith("_"))
            raise ValueError(
                f"data.{key}: the data of {network.directory} have no such setting; their settings are {listed}"
            )
    return {**own, **given}


def _check_size(trained: Sequence[int], data: Splits) -> None:
    if list(data.image_size) != list(trained):
        raise NotApplicable(
            f"the data's images have {data.image_size[0]}x{data.image_size[1]} pixels, but this network was trained on "
            f"{trained[0]}x{trained[1]}: give data.image_size={trained[0]}"
        )


def _check_labels(name: str, evaluator: Evaluator, classifier: TrainedClassifier) -> None:
    if gives_several_labels(classifier):
        check_asked_of_labels({name: evaluator})


def check_all(evaluators: Mapping[str, Evaluator], classifier: TrainedClassifier, data: Splits) -> None:
    """Raises ValueError where one of the questions can't be asked."""
    for name, evaluator in evaluators.items():
        _check_labels(name, evaluator, classifier)
        evaluator.check(classifier, data)


def select_possible(
    evaluators: Mapping[str, Evaluator], classifier: TrainedClassifier, data: Splits
) -> dict[str, Evaluator]:
    """Those that can be asked of this network on these data."""
    possible = {}
    for name, evaluator in evaluators.items():
        with suppress(ValueError):
            _check_labels(name, evaluator, classifier)
            evaluator.check(classifier, data)
            possible[name] = evaluator
    return possible


def describe_question(
    network: Network, epoch: int, data_config: Mapping[str, Any], precision: str = "float32"
) -> dict[str, Any]:
    """What all evaluators of one command are asked about: the checkpoint, which was written after `epoch`, and the data."""
    return {
        "checkpoint": network.checkpoint.name,
        "epoch": epoch,
        "data": {key: value for key, value in data_config.items() if key not in NOT_ASKED},
        "precision": precision,
    }


def answer_all(
    network: Network,
    evaluators: Mapping[str, Evaluator],
    classifier: TrainedClassifier,
    data: Splits,
    question: Mapping[str, Any],
    program: str = "lta.run",
    silent: Collection[str] = (),
) -> dict[str, Result]:
    """Asks each evaluator about `classifier`, which holds the checkpoint's weights; the first process writes and prints.

    Of the `silent` ones, which nobody asked for, no answer is printed, and one that can't be given is left out, which is
    said. `program` is the module that was started, for the record."""
    command = ["python", "-m", program, *sys.argv[1:]]
    results = {}
    for name, evaluator in evaluators.items():
        start = time.monotonic()
        try:
            results[name] = evaluator.run(classifier, data)
        except NotApplicable as error:
            if name not in silent:
                raise
            print_left_out(name, network, error)
            continue
        seconds = time.monotonic() - start
        if ranks.is_first():
            path = write_answer(network.directory, name, evaluator, results[name], question, seconds, data, command)
            if name not in silent:
                print(_text(name, results[name], network.directory, path, seconds), flush=True)
    return results


def print_left_out(name: str, network: Network, error: ValueError) -> None:
    """Says, on the first process only, which evaluator skips a network and why."""
    if ranks.is_first():
        print(f"left out: {name} of {network.directory}: {error}", flush=True)


def write_answer(
    directory: Path,
    name: str,
    evaluator: Evaluator,
    result: Result,
    about: Mapping[str, Any],
    seconds: float,
    data: Splits,
    command: Sequence[str],
) -> Path:
    """`evaluations/<name>.json`, `.csv`, pictures and further tables. Another question's answer of that name moves to
    `earlier/`."""
    folder = directory / FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    question = to_plain(
        {
            **about,
            "settings": {name: value for name, value in vars(evaluator).items() if name[0] != "_"},
            "images": len(data.test.labels),
        }
    )
    pictures = digest_fingerprint(data)
    if path.is_file():
        earlier = read_json(path)
        if earlier.get("question") != question or earlier.get("pictures") not in (None, pictures):
            _set_aside(folder, name, earlier)
    write_json(
        path,
        {
            "evaluator": name,
            "question": question,
            "pictures": pictures,
            "coding": getattr(data, "coding", None),
            "figures": to_plain(result.figures),
            "command": list(command),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "lta": lta.__version__,
            "code": code_version(find_own_code([question, {"_target_": f"{type(evaluator).__module__}.{name}"}])),
        },
    )
    write_text(folder / f"{name}.csv", render_table(result.rows))
    if result.pictures or result.tables:
        (folder / name).mkdir(exist_ok=True)
    for file, picture in result.pictures.items():
        picture.save(folder / name / f"{file}.png")
    for file, rows in result.tables.items():
        write_text(folder / name / f"{file}.csv", render_table(rows))
    return path


def _set_aside(folder: Path, name: str, earlier: dict[str, Any]) -> None:
    kept = folder / "earlier" / f"{name}_{earlier.get('time', 'unknown').replace(':', '-')}"
    kept.mkdir(parents=True, exist_ok=True)
    for path in (folder / f"{name}.json", folder / f"{name}.csv", folder / name):
        if path.exists():
            shutil.rmtree(kept / path.name, ignore_errors=True)
            os.replace(path, kept / path.name)


def _text(name: str, result: Result, directory: Path, path: Path, seconds: float) -> str:
    return "\n".join(["", f"== {name} of {directory} ({format_duration(seconds)})", *result.lines, f"{'':16}{path}"])


def to_plain(value: Any) -> Any:
    """For JSON: numpy's values as Python's, NaN and infinity as null, objects as their name."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else type(value).__name__
