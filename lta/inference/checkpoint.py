"""`lta.load`: from a run directory or a checkpoint file to a network ready to use."""

import logging
import os
import pickle
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import OmegaConf

from lta.cli.own_data import PLACES
from lta.cli.saved import PARTS, accept_config, withhold_places
from lta.cli.trust import Trust, check_dotted, current_trust
from lta.data.fingerprint import take_fingerprint, write_fingerprint
from lta.data.label_sets import digest_labels
from lta.instantiate import build, escape
from lta.measures.label_sets import gives_several_labels
from lta.models.backbone_trunk import BackboneTrunk
from lta.protocols import Splits
from lta.runtime import ranks
from lta.runtime.given_weights import given_weights, use_weights
from lta.runtime.run_directory import PREVIOUS, find_checkpoint, find_difference
from lta.training.checkpoint_io import has_its_tensors
from lta.training.classifier import Classifier

log = logging.getLogger(__name__)

FORMAT = 2
"""Of the checkpoints' names and configuration; raised where older ones can't be read any more."""


UNREADABLE = (RuntimeError, EOFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, MemoryError)
"""What reading raises of a file of which some bits are others; RecursionError is a RuntimeError."""


class BrokenCheckpoint(ValueError):
    """A file that is no checkpoint, or no whole one."""


class Checkpoint(NamedTuple):
    """A file that was read, and its content (`read_checkpoint`)."""

    path: Path
    content: dict[str, Any]


def make_hparams(config: dict[str, Any], data: Splits) -> dict[str, Any]:
    """What a checkpoint carries beside the weights: enough for `load`."""
    return {
        "format": FORMAT,
        "config": config,
        "class_names": list(data.class_names),
        "image_size": list(data.image_size),
        "pictures": write_fingerprint(take_fingerprint(data)),
        **({"several_labels": True, "labels": digest_labels(data)} if gives_several_labels(data) else {}),
    }


def load(
    path: str | Path,
    which: str = "last",
    trust: Sequence[str] = (),
    config_dir: str | Path | None = None,
    weights: str | Path | None = None,
) -> Classifier:
    """The classifier of a run, in eval mode on the CPU: `load(RUN).predict(images)` takes pictures in any form and returns
    class names, probabilities and attention maps; `load(RUN)(images)` takes a batch and returns all that the network does.

    `path`: a run directory (then `which` is "last" or "best") or a checkpoint file. Nothing but tensors and plain
    containers is unpickled, and nothing is called but what lta and installed packages have in their conf/. `trust`: full
    names of further classes and functions that may be (`my_package.module.Class`); `config_dir`: a folder whose yaml files
    name some, as `-cd` takes it. `weights`: the file of a backbone's weights, where the checkpoint leaves them out. Raises
    ValueError where there is no such file, it is no checkpoint of lta, or it asks for something else.
    """
    path = Path(path)
    if path.is_dir():
        path = find_checkpoint(path, which)
    content = read_checkpoint(path, current_trust().also(check_dotted(trust), config_dir))
    with use_weights(given_weights() if weights is None else weights):
        return restore_classifier(Checkpoint(path, content))


def load_run(path: str | Path, which: str = "last") -> Classifier:
    """The same for evaluators, whose own configuration may have been sent: it can trust no more than the command does."""
    return load(path, which)


def restore_classifier(checkpoint: Checkpoint) -> Classifier:
    """The classifier of a checkpoint that was read, in eval mode on the CPU. Raises ValueError where its configuration makes
    none, or one that the weights don't fit."""
    path, content = checkpoint
    try:
        classifier = _build_classifier(content["hyper_parameters"], path)
        for module in classifier.modules():
            if isinstance(module, BackboneTrunk):
                module.reference = given_weights()
    except Exception as error:  # what classes make of arguments that anybody may have written
        raise ValueError(f"{path}: its configuration makes no network: {_first_line(_find_cause(error))}") from error
    try:
        classifier.load_state_dict(content["state_dict"])
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: its weights don't fit its configuration: {_last_line(error)}") from error
    return classifier.eval()


def load_weights(classifier: Classifier, path: Path) -> int:
    """Those of a checkpoint, into a classifier of the same configuration; returns the epoch, from 0, that it ended."""
    content = read_checkpoint(path)
    classifier.load_state_dict(content["state_dict"])
    return content["epoch"]


def build_untrained(classifier: Classifier, seed: int = 0) -> Classifier:
    """The same network with the random weights that training begins from, in eval mode on the same device.

    What was measured on the training pictures is the trained one's. The global random numbers are left as they were.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach GPUs' generators too
        fresh = _build_classifier(dict(classifier.hparams), "the network's own configuration")
    fresh.copy_measurements(classifier)
    return fresh.to(classifier.device).eval()


def _build_classifier(hparams: dict[str, Any], origin: str | Path) -> Classifier:
    parts = {part: withhold_places(hparams["config"][part], part, origin) for part in PARTS if part != "data"}
    config = OmegaConf.create(escape(parts))
    return Classifier(
        network=build(config.model)(num_classes=len(hparams["class_names"])),
        preprocess=build(config.preprocess),
        augment=build(config.augment),
        recipe=build(config.recipe),
        loss=build(config.loss),
        class_names=hparams["class_names"],
        seed=hparams["config"]["seed"],
        hparams=hparams,
        several_labels=hparams.get("several_labels", False),
    )


def find_resume_checkpoint(directory: Path) -> Checkpoint | None:
    """The newest readable checkpoint of a run; None before its first epoch's end.

    A last one that can't be read is set aside as `last.ckpt.broken`, said in one line, and the one before it is taken;
    raises ValueError where that can't be read either, and where none is kept of a run that has come further.
    """
    last = directory / "checkpoints" / "last.ckpt"
    previous = last.with_name(PREVIOUS[last.name])
    try:
        if last.is_file():
            return Checkpoint(last, read_checkpoint(last))
        if previous.is_file():
            return Checkpoint(previous, read_checkpoint(previous))
        if _count_epochs(directory) > 1:  # the first one's row is written before its checkpoint
            raise ValueError(
                f"{directory} has trained {_count_epochs(directory)} epochs, but has no {last.name} to continue from "
                "(callbacks.last_checkpoint=null?): start again in another directory"
            )
        return None
    except BrokenCheckpoint as error:
        if not previous.is_file():
            raise
        content = read_checkpoint(previous)
        log.warning("%s; continuing from %s, one epoch earlier", error, previous.name)
        if ranks.is_first():
            os.replace(last, last.with_name(last.name + ".broken"))
        return Checkpoint(previous, content)


def _count_epochs(directory: Path) -> int:
    rows = directory / "metrics.csv"
    return max(0, len(rows.read_text().splitlines()) - 1) if rows.is_file() else 0


def check_has_weights(classifier: Classifier) -> None:
    """Raises ValueError where a run would begin without the pretrained weights that it is to begin with."""
    for module in classifier.modules():
        if isinstance(module, BackboneTrunk) and module.waits_for_state:
            raise ValueError(
                f"no checkpoint of this run holds the weights of {module.name} yet: give "
                "model.backbone.weights=package, hub or a file, because lta does not take this from the run directory"
            )


def check_belongs(checkpoint: Checkpoint, config: dict[str, Any], class_names: Sequence[str]) -> None:
    """Raises ValueError where the checkpoint was written under another configuration of what is computed."""
    path, hparams = checkpoint.path, checkpoint.content["hyper_parameters"]
    if hparams["class_names"] != list(class_names):
        raise ValueError(f"{path} was trained on the classes {', '.join(hparams['class_names'])}; now the data have others")
    computed = ("model", "data", "preprocess", "augment", "recipe", "loss", "seed")
    written, asked = (
        {part: _leave_out_changeable(part, nest.get(part)) for part in computed} for nest in (hparams["config"], config)
    )
    if found := find_difference(written, asked):
        raise ValueError(f"{path} belongs to another configuration: {found[0]} is not what the run's config.yaml says")


def _leave_out_changeable(part: str, settings: Any) -> Any:
    """Without what a resumed run may be told anew: where data and weights lie, and how much longer it is trained."""
    if not isinstance(settings, dict):
        return settings
    kept = {f"{part}.{key}": key for key in settings if f"{part}.{key}" not in {*PLACES, "recipe.epochs"}}
    return {key: _leave_out_changeable(path, settings[key]) for path, key in kept.items()}


def read_checkpoint(path: str | Path, trust: Trust | None = None) -> dict[str, Any]:
    """The checkpoint's content on the CPU; raises ValueError in one line where it is missing, broken or not of lta, or would
    have other code called than lta's."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no checkpoint {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch reads it as it is
        content = None if damaged else torch.load(path, map_location="cpu", weights_only=True)
        whole = has_its_tensors(content) if isinstance(content, dict) else None
    except (*UNREADABLE, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise BrokenCheckpoint(f"{path} is not a readable checkpoint: {_first_line(error)}") from error
    if damaged or whole is False:
        raise BrokenCheckpoint(
            f"{path} is not a readable checkpoint: its {damaged or 'weights'} "
            f"{'is' if damaged else 'are'} not what was written"
        )
    hparams = content.get("hyper_parameters") if isinstance(content, dict) else None
    if not isinstance(content, dict) or not isinstance(hparams, dict) or "config" not in hparams:
        raise ValueError(f"{path} is not a checkpoint of lta: it carries no configuration")
    if (found := hparams.get("format", 1)) != FORMAT:
        raise ValueError(f"{path} was written by another version of lta (format {found}; this one reads format {FORMAT})")
    if whole is None:
        log.warning("%s has no digest of its weights (an earlier version wrote it): they are taken as they are", path)
    _check_rest(content, path)
    hparams["config"] = accept_config(hparams["config"], path, trust)
    for name, weights in content["state_dict"].items():
        if weights.is_floating_point() and not weights.isfinite().all():
            raise ValueError(f"{path} holds weights that are not finite numbers ({name}): its training has diverged")
    return content


def _check_rest(content: dict[str, Any], path: Path) -> None:
    """What `load` needs beside the configuration."""
    names, size = (content["hyper_parameters"].get(key) for key in ("class_names", "image_size"))
    known = {
        "class_names": isinstance(names, list | tuple) and len(names) > 0 and all(isinstance(name, str) for name in names),
        "image_size": isinstance(size, list | tuple) and len(size) == 2 and all(type(n) is int and n > 0 for n in size),
        "state_dict": isinstance(content.get("state_dict"), dict)
        and all(isinstance(value, torch.Tensor) for value in content["state_dict"].values()),
        "epoch": type(content.get("epoch")) is int,
        "several_labels": isinstance(content["hyper_parameters"].get("several_labels", False), bool),
    }
    if wrong := [key for key, is_right in known.items() if not is_right]:
        raise ValueError(f"{path} is not a checkpoint of lta: its {wrong[0]} is not of the kind that lta writes")


def _find_cause(error: BaseException) -> BaseException:
    """What a library has wrapped."""
    return error if error.__cause__ is None else _find_cause(error.__cause__)


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]


def _last_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[-1].strip()[:200]
