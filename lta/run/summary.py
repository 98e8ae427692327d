"""The end of a run: its results as plain data, and as the text a person reads."""

import logging
import os
import shlex
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

from lta.callbacks.divergence import Diverged
from lta.callbacks.early_stopping import EarlyStop
from lta.callbacks.epoch_log import EpochLog
from lta.callbacks.find import find_callbacks
from lta.evaluators.evaluator import Evaluator
from lta.protocols import Network, Splits, takes_queries
from lta.run import test_predictions
from lta.runtime.console import format_duration
from lta.runtime.teachers import name_teachers
from lta.training.classifier import Classifier
from lta.training.flops import count_step_flops, describe_flops
from lta.training.mask_loss import find_mask_loss, list_learned_levels
from lta.training.running_statistics import find_shift

log = logging.getLogger(__name__)


def collect(trainer: pl.Trainer, classifier: Classifier, data: Splits, checkpoint: str, epoch: int) -> dict[str, Any]:
    """What `render_text` prints of a run that was tested with the `checkpoint` of that `epoch`, as JSON-ready data; the
    figures of evaluators that are asked by default join it, by the evaluators' names."""
    return {
        "test": {
            key.removeprefix("test/"): float(v) for key, v in trainer.callback_metrics.items() if key.startswith("test/")
        },
        "test_images": len(data.test.labels),
        "test_checkpoint": checkpoint,
        "tested_epochs": epoch + 1,
        **_describe_training(trainer, classifier, data),
        **_describe_early_stop(trainer),
        **_describe_statistics(classifier, data),
    }


def collect_diverged(trainer: pl.Trainer, classifier: Classifier, data: Splits, diverged: Diverged) -> dict[str, Any]:
    """What is kept of a run that was not tested, since its training has diverged."""
    about = {"what": diverged.what, "epoch": diverged.epoch}
    return {"diverged": about, "test": {}, **_describe_training(trainer, classifier, data)}


def advise_after_divergence(directory: Path, recipe: Mapping[str, Any]) -> str:
    """What is left, and what helps, in words."""
    last = directory / "checkpoints" / "last.ckpt"
    left = f"{last} is of the epoch before" if last.is_file() else "no epoch was finite"
    rate = f"a rate below recipe.lr={recipe['lr']}" if "lr" in recipe else "a lower rate"
    begin = f", in a new run that begins with them: {shlex.quote(f'init_from={last}')}" if last.is_file() else ""
    return f"{left}; {rate} may help{begin}"


def describe_time_limit(trainer: pl.Trainer, directory: Path) -> str:
    """Of a training that `trainer.max_time` has ended, how it goes on."""
    said = f"trainer.max_time has ended the training after {trainer.current_epoch} of {trainer.max_epochs} epochs"
    return f"{said}: {shlex.quote(f'resume={os.path.relpath(directory)}')} trainer.max_time=null goes on"


def _describe_training(trainer: pl.Trainer, classifier: Classifier, data: Splits) -> dict[str, Any]:
    network = classifier.network
    asked = network if takes_queries(network) else None
    log = next(find_callbacks(trainer, EpochLog), None)
    history = log.rows if log else []
    return {
        "epochs": trainer.max_epochs,
        "device": str(trainer.strategy.root_device),
        "processes": trainer.world_size,
        "threads": torch.get_num_threads(),
        "precision": trainer.precision,
        "seconds": history[-1].get("time/seconds") if history else None,
        **_count_flops(trainer, classifier, data),
        "history": history,
        "parameters": sum(p.numel() for p in network.parameters()),
        "levels": list(network.levels),
        "inert_levels": list(asked.inert_levels if asked else ()),
        "pruned_levels": list(asked.pruned_levels if asked else ()),
        "query_read": asked is not None and any(unit.compat.reads_query for unit in asked.attention.values()),
        "inert_parameters": asked.inert_parameters if asked else 0,
        "unconstrained_levels": [
            level for level in list_unconstrained_levels(network) if level not in _list_taught(classifier)
        ],
        "taught_by": list_teachers(classifier),
        "coding": getattr(data, "coding", None),
        "test_each_epoch": data.test_each_epoch,
        "average_gradients": classifier.recipe.average_gradients,
    }


def _describe_early_stop(trainer: pl.Trainer) -> dict[str, Any]:
    stop = next(find_callbacks(trainer, EarlyStop), None)
    if stop is None or not stop.has_stopped:
        return {}
    return {"stopped_early": stop.describe(trainer.current_epoch, trainer.max_epochs)}


def _describe_statistics(classifier: Classifier, data: Splits) -> dict[str, Any]:
    """Where running statistics do not fit: training and validation then tell of two different networks."""
    shift = find_shift(classifier, data.train)
    return {} if shift is None else {"statistics": {**shift._asdict(), "words": shift.describe()}}


def _list_taught(classifier: Classifier) -> tuple[str, ...]:
    """Levels that masks teach."""
    return () if classifier.masks is None else classifier.masks.levels


def list_teachers(classifier: Classifier) -> dict[str, Any] | None:
    """What the maps of the network have learned from: labels, and where they did, masks. None where no map learns."""
    if not list_learned_levels(classifier.network):
        return None
    if classifier.masks is None:
        return {"labels": True, "masks": 0}
    of_masks = find_mask_loss(classifier.loss)
    assert of_masks is not None
    about = {"levels": list(classifier.masks.levels), "kind": of_masks.kind, "weight": of_masks.weight}
    return {"labels": True, "masks": classifier.masks.count, **about}


def list_unconstrained_levels(network: Network) -> list[str]:
    """Levels of a pretrained backbone of which none alone leads to the class: no map has to find the object, and they were
    seen to miss it (docs/backbones.md). [] of a network of another kind, of one level or without learned maps."""
    if not takes_queries(network) or not hasattr(getattr(network, "trunk", None), "compute_levels"):
        return []
    return list(network.levels) if list_learned_levels(network) and len(network.levels) > 1 else []


def _count_flops(trainer: pl.Trainer, classifier: Classifier, data: Splits) -> dict[str, Any]:
    """Of all steps since the training's first, also of those before it was gone on with; all have one shape."""
    steps = trainer.fit_loop.epoch_loop.batch_progress.total.completed
    there = trainer.num_training_batches  # infinite where a complete training was only tested again
    of_epoch = there if isinstance(there, int) else steps // max(trainer.current_epoch, 1)
    begins = sorted({0, *(int(epochs) * of_epoch for _, epochs in classifier.trained_for)})
    try:
        counted = 0
        for begin, end in pairwise([*(begin for begin in begins if begin < steps), steps]):
            shape = (data.batch_size, *data.train.images.shape[1:3])
            counted += (end - begin) * count_step_flops(classifier, *shape, epoch=begin // max(of_epoch, 1))
    except Exception as error:  # a network of somebody's own may do what can't be counted: no reason to lose its results
        log.warning("the training's floating-point operations are not counted: %s", str(error).partition("\n")[0])
        return {"steps": steps, "training_flops": None}
    return {"steps": steps, "training_flops": counted}


def render_text(results: dict[str, Any], directory: Path, evaluators: Mapping[str, Evaluator]) -> str:
    """`evaluators`: those that were asked by default."""
    test = results["test"]
    lines = ["", "== summary"]
    top5 = f", top-5 {test['error_top5']:.2f} %" if "error_top5" in test else ""
    balanced = _describe_balanced(test)
    lines.append(
        f"test error      {test['error']:.2f} %{balanced}{top5}  ({results['test_images']:,} images, "
        f"{results['test_checkpoint']} checkpoint, of epoch {results['tested_epochs']} of {results['epochs']}"
        + (f" in {format_duration(results['seconds'])})" if results["seconds"] else ")")
    )
    lines += _describe_labels(test)
    if stopped := results.get("stopped_early"):
        lines.append(f"ended           {stopped}")
    if results.get("training_flops"):  # runs of before don't know it
        passes = f"{results['steps']:,} steps, forward and backward"
        lines.append(f"computed        {describe_flops(results['training_flops'])} in {passes}")
    if statistics := results.get("statistics"):
        lines.append(f"batch norms     {statistics['words']}")
    if results["coding"] and results["coding"] != "official":
        lines.append(f"data            {results['coding']}")
    if results["test_each_epoch"]:
        lines.append("test set        looked at after each epoch (test_each_epoch/error); nothing was chosen by it")
    if results["average_gradients"]:
        lines.append("gradient        averaged at junctions, as the authors' code does: not the gradient of the loss")
    if taught := results.get("taught_by"):  # runs of before don't say it
        lines.append(f"maps            taught by {describe_teachers(taught)}")
    lines += _describe_query(results)
    if unconstrained := results.get("unconstrained_levels"):  # runs of before don't say it
        one = len(unconstrained) == 1
        together = "decide the class together, so none of these maps needs"
        said = "is not the only path to the class, so its map need not" if one else together
        lines.append(
            f"maps            {', '.join(unconstrained)} {said} to find the object (model=backbone_att1 has a single map)"
        )
    for name, evaluator in evaluators.items():
        if results.get(name) and (summarised := evaluator.summarise(results[name])):
            lines += ["", *summarised]
    lines += ["", *_list_paths(directory, results["test_checkpoint"])]
    return "\n".join(lines)


def _describe_labels(test: dict[str, Any]) -> list[str]:
    """Of several labels an image: what the error means, and how well labels are told apart one by one."""
    if "label_error" not in test:
        return []
    ranked = ", ".join(f"{name} {test[key]:.3f}" for key, name in (("mAP", "mAP"), ("auroc", "mean AUROC")) if key in test)
    said = f"an image is right if all its labels are; {test['label_error']:.2f} % of single labels are wrong"
    lines = [f"labels          {said}{f'; {ranked}' if ranked else ''}"]
    each = {key.removeprefix("auroc_"): value for key, value in test.items() if key.startswith("auroc_")}
    return lines + ([f"AUROC           {', '.join(f'{name} {value:.3f}' for name, value in each.items())}"] if each else [])


def _describe_balanced(test: dict[str, Any]) -> str:
    """Where it is another: test classes of one size make it the same. Runs of before don't know it."""
    found = test.get("balanced_error")
    return f", balanced {found:.2f} %" if found is not None and abs(found - test["error"]) >= 0.005 else ""


def describe_teachers(taught: Mapping[str, Any]) -> str:
    """In words: "labels", or "labels and 8 masks (at B, C)"."""
    named = str(name_teachers(taught))
    if not taught["masks"]:
        return named
    how = f"loss.mask={taught['weight']:g}, {taught['kind']}"
    return f"{named} (at {', '.join(taught['levels'])}; {how})"


def _describe_query(results: dict[str, Any]) -> list[str]:
    inert = results["inert_levels"]
    if not inert:
        return []
    acts = [level for level in results["levels"] if level not in inert]
    dead = (
        "left out of this network"
        if results["pruned_levels"]
        else (
            f"{results['inert_parameters']:,} of {results['parameters']:,} parameters act on nothing; "
            "model.prune_inert_query=true leaves them out"
        )
    )
    where = "" if not acts else f" (at {', '.join(acts)} it acts)"
    why = "softmax cancels u.g, so the map ignores g" if results["query_read"] else "all scores are the same"
    return [f"query           inert at {', '.join(inert)}{where}: {why}; {dead}"]


def _list_paths(directory: Path, tested: str) -> list[str]:
    offline = sorted((directory / "wandb").glob("offline-run-*"))
    pictures = sorted((directory / "attention").glob("*.png"))
    answers = directory / test_predictions.FILE
    shown = {
        "results": directory / "results.json",
        "metrics": directory / "metrics.csv",
        "predictions": answers if answers.is_file() else None,
        "checkpoint": directory / "checkpoints" / f"{tested}.ckpt",
        "pictures": pictures[-1] if pictures else None,
        "W&B offline run": offline[-1] if offline else None,
    }
    return [f"{name:16}{path}" for name, path in shown.items() if path is not None]
