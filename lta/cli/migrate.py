"""What an older version wrote, as today's would have written it. All who read it may
import it: it needs lta.runtime alone.

A name here is no permission: whoever builds what a configuration names asks the gate (`lta.cli.trust`) afterwards.
"""

from pathlib import Path
from typing import Any

import yaml

from lta.runtime.plain_yaml import parse_yaml

MOVED = {  # version 0.1
    "lta.callbacks.wandb_run.wandb_logger": "lta.loggers.wandb_run.wandb_logger",
    "lta.callbacks.tensorboard_run.tensorboard_logger": "lta.loggers.tensorboard.tensorboard_logger",
    "lta.checkpoint.load": "lta.inference.checkpoint.load_run",
    "lta.inference.checkpoint.load": "lta.inference.checkpoint.load_run",
    "lta.load": "lta.inference.checkpoint.load_run",
    "lta.checkpoint.untrained": "lta.inference.checkpoint.build_untrained",
}
"""Functions and classes that a configuration may name, by the name they had when it was written."""


ADDED = {"default_evaluators": {"roles": {"_target_": "lta.evaluators.roles.Roles"}}, "init_from": None}
"""Settings of a run that there were not always, with what runs did before."""

FILES = {"verify": "changed"}
AIR = {"widths": [64, 256, 256], "depth": 2, "residual": False, "activation": "gelu"}
PARTS = {
    **{f"lta.models.air_family.{name}": AIR for name in ("air", "air_gap", "air_attention")},
    "lta.training.losses.CrossEntropy": {
        "class_weights": None,
        "focal": 0.0,
        "mask": 0,
        "mask_kind": "bce",
        "mask_levels": None,
        "mask_count": None,
    },
    "lta.data.cifar.CIFAR": {**FILES, "image_size": 32, "train_size": None},
    "lta.data.svhn.SVHN": {"image_size": 32},
    "lta.data.cub200.CUB200": FILES,
    "lta.data.mask_folder.MaskFolder": FILES,
    "lta.data.image_folder.ImageFolder": {
        **FILES,
        "split": "order",
        "no_test": "error",
        "nested": True,
        "grey_range": None,
        "on_shared": "allow",
        "balanced": False,
        "masks": "auto",
        "labels": None,
        "label_separator": "|",
    },
}
"""Settings of models and data sets that there were not always, by what they belong to, with what was done before."""

EVALUATORS = {"classification": {"examples": 16}}
"""The same of evaluators, by name."""

MUON = {"muon_rounds": 5, "muon_bfloat16": False}
"""The same of a recipe that trains with Muon."""


def read_config(path: Path) -> dict[str, Any]:
    """A run's saved configuration, migrated; raises ValueError in one line where the file can't be read."""
    try:
        config = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"{path} can't be read: {str(error).splitlines()[0]}") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path} can't be read: it holds no settings")
    return migrate_config(config)


def migrate_config(config: dict[str, Any]) -> dict[str, Any]:
    """A run's resolved configuration as today's version would have composed it from the same command; `config` is kept."""
    whole = _add_loss({**ADDED, **_migrate_targets(config)})
    for part in ("model", "data", "loss"):
        whole = _add_settings(whole, part)
    return _add_divergence_stop(_add_muon(_add_evaluators_settings(whole)))


def _add_settings(config: dict[str, Any], part: str) -> dict[str, Any]:
    node = config.get(part)
    target = node.get("_target_") if isinstance(node, dict) else None
    if not isinstance(node, dict) or not isinstance(target, str):
        return config
    return {**config, part: {**PARTS.get(target, {}), **node}}


def _add_evaluators_settings(config: dict[str, Any]) -> dict[str, Any]:
    asked = config.get("evaluator")
    if not isinstance(asked, dict):
        return config
    known = {name: node for name, node in asked.items() if name in EVALUATORS and isinstance(node, dict)}
    return {**config, "evaluator": {**asked, **{name: {**EVALUATORS[name], **node} for name, node in known.items()}}}


def _add_muon(config: dict[str, Any]) -> dict[str, Any]:
    recipe = config.get("recipe")
    if not isinstance(recipe, dict) or not {"muon_lr", "muon_momentum"} <= set(recipe):
        return config
    return {**config, "recipe": {**MUON, **recipe}}


def _add_loss(config: dict[str, Any]) -> dict[str, Any]:
    """Version 0.1 knew one loss, and its recipes did the smoothing of labels."""
    recipe = config.get("recipe")
    if "loss" in config or not isinstance(recipe, dict):
        return config
    smoothing = recipe.get("label_smoothing", 0.0)
    return {**config, "loss": {"_target_": "lta.training.losses.CrossEntropy", "label_smoothing": smoothing}}


def _add_divergence_stop(config: dict[str, Any]) -> dict[str, Any]:
    """Version 0.1 went on with a loss that is no number; a run of finite numbers is the same with and without it."""
    callbacks = config.get("callbacks")
    if not isinstance(callbacks, dict) or "divergence" in callbacks or "epoch_log" not in callbacks:
        return config
    kept: dict[str, Any] = {}
    for name, callback in callbacks.items():
        kept[name] = callback
        if name == "epoch_log":  # behind it and before the checkpoints: their order is that of the file
            kept["divergence"] = {"_target_": "lta.callbacks.divergence.DivergenceStop"}
    return {**config, "callbacks": kept}


def _migrate_targets(node: Any) -> Any:
    if isinstance(node, dict):
        moved = {key: _migrate_targets(value) for key, value in node.items()}
        target = moved.get("_target_")
        return {**moved, "_target_": MOVED[target]} if isinstance(target, str) and target in MOVED else moved
    return [_migrate_targets(value) for value in node] if isinstance(node, list) else node
