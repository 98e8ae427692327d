"""What `lta.teach` builds and writes: a run directory that every other command takes."""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml
from omegaconf import OmegaConf

from lta.cli.resolvers import TAUGHT
from lta.cli.saved import PARTS
from lta.inference.checkpoint import FORMAT
from lta.instantiate import build, escape
from lta.measures import intervals
from lta.models.taught_net import CLASS_NAMES, TaughtNet
from lta.runtime.files import write_json, write_text
from lta.teach.teacher import Taught
from lta.training.checkpoint_io import WholeFiles
from lta.training.classifier import Classifier

CHECKPOINT = "checkpoints/last.ckpt"


def require_free(out: Path, overwrite: bool) -> None:
    """Raises ValueError where a network, or a run, is there already."""
    if (out / "config.yaml").exists() and not (overwrite and (out / TAUGHT).exists()):
        what = "is a run that is not of lta.teach" if overwrite else "already holds a network"
        raise ValueError(f"out={out} {what}: give another folder" + ("" if overwrite else ", or overwrite=true"))


def build_classifier(cfg: Mapping[str, Any]) -> Classifier:
    """Not taught yet. Raises ValueError for settings that make no network."""
    parts = OmegaConf.create(escape({part: cfg[part] for part in PARTS}))
    network = build(parts.model)(num_classes=len(CLASS_NAMES))
    config = {part: copy.deepcopy(cfg[part]) for part in PARTS} | {"seed": cfg["seed"]}
    config["model"]["cues"] = list(network.cues)
    return Classifier(
        network=network,
        preprocess=build(parts.preprocess),
        augment=build(parts.augment),
        recipe=build(parts.recipe),
        loss=build(parts.loss),
        class_names=CLASS_NAMES,
        seed=cfg["seed"],
        hparams={
            "format": FORMAT,
            "config": config,
            "class_names": list(CLASS_NAMES),
            "image_size": [cfg["size"], cfg["size"]],
            "pictures": None,
        },
    )


def find_step(classifier: Classifier) -> int:
    """What sides of its pictures are multiples of. Raises ValueError for a backbone that takes pictures of one size."""
    trunk = cast(TaughtNet, classifier.network).trunk
    if trunk.size_step is None:
        raise ValueError(
            f"model.backbone.name={trunk.name} takes pictures of one size only; choose a convolutional network, for example "
            "tf_efficientnet_lite0, resnet18 or convnext_tiny"
        )
    return trunk.size_step


def write_checkpoint(file: Path, classifier: Classifier, masks: int) -> None:
    """Of a network that so many masks taught, 0 for none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "hyper_parameters": dict(classifier.hparams) | {"taught_by": {"labels": False, "masks": masks}},
        "state_dict": {name: tensor.cpu() for name, tensor in classifier.state_dict().items()},
        "epoch": 0,
    }
    WholeFiles({}).save_checkpoint(content, file)


def write_run(out: Path, classifier: Classifier, taught: Taught, cfg: Mapping[str, Any]) -> None:
    """Writes a run directory: the checkpoint, what was measured, and the configuration."""
    write_checkpoint(out / CHECKPOINT, classifier, taught.masks)
    settings = {key: value for key, value in cfg.items() if key != "hydra"}
    write_json(out / TAUGHT, _figures(taught) | {"settings": settings})
    write_text(out / "config.yaml", yaml.safe_dump(classifier.hparams["config"], sort_keys=False))


def describe(out: Path, classifier: Classifier, taught: Taught, without: int, seconds: float) -> Iterator[str]:
    """What is printed at the end."""
    network = cast(TaughtNet, classifier.network)
    size = classifier.hparams["image_size"][0]
    left = f"; {without} pictures without a mask were not used" if without else ""
    yield f"taught by {taught.masks} mask{'s' * (taught.masks > 1)} in {seconds:.0f} s{left}"
    yield f"network         {network.trunk.name}, frozen, shorter side {size} px; {len(network.cues)} cues, level B"
    first, *more = describe_left_out(taught)
    yield f"masks left out  {first}"
    yield from (f"                {line}" for line in more)
    yield f"checkpoint      {out / CHECKPOINT}"
    yield f"use it          python -m lta.apply checkpoint={out} images=photo.jpg effect=autoblur"


def describe_left_out(taught: Taught) -> list[str]:
    """In words: how well masks were found that were left out of the teaching, as lines."""
    figures = _figures(taught)
    if "iou" not in figures:
        return ["none: a single mask says nothing about other pictures"]
    more, (low, high) = figures["difference"]["value"], figures["difference"]["interval"]
    return [
        f"IoU {figures['iou']['value']:.3f} (threshold chosen on the other masks, ridge {taught.fit.ridge:g} on all)",
        f"{more:+.3f} ({low:+.3f} to {high:+.3f}) above the length of the features, which no mask taught",
    ]


def _figures(taught: Taught) -> dict[str, Any]:
    fit = taught.fit
    found: dict[str, Any] = {"masks": taught.masks, "ridge": fit.ridge, "threshold": fit.threshold}
    if np.isfinite(fit.iou).all():
        found |= {
            "iou": intervals.mean(fit.iou),
            "length_iou": intervals.mean(fit.length_iou),
            "difference": intervals.difference(fit.iou, fit.length_iou),
        }
    return found
