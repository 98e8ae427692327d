"""Weights of another run to begin with: `init_from=RUN`."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from torch import Tensor, nn

from lta.inference.checkpoint import read_checkpoint
from lta.runtime.run_directory import find_checkpoint
from lta.training.classifier import Classifier

log = logging.getLogger(__name__)

NETWORK = "network."


class Taken(NamedTuple):
    """From which file and epoch (from 0), how many tensors, and the names of those that were left as they began."""

    path: str
    epoch: int
    tensors: int
    left: list[str]


def find_source(given: str) -> Path:
    """The checkpoint file that `init_from` names: the last one of a run directory, or the file itself.

    Raises ValueError where there is none; nothing is read.
    """
    path = Path(given)
    if not given or not path.exists():
        raise ValueError(f"init_from={given}: there is no such run directory or checkpoint file")
    return find_checkpoint(path, "last") if path.is_dir() else path


def init_weights(classifier: Classifier, path: Path) -> Taken:
    """Takes the network's weights and running statistics from a checkpoint file; says so.

    Where the classes are others, those of `network.classifiers` are left as they began. What was measured on the training
    pictures (preprocessing) is this run's own. Raises ValueError where the network is another one: each tensor of one must
    be in the other, of the same shape.
    """
    content = read_checkpoint(path)
    network = cast(nn.Module, classifier.network)
    own, theirs = network.state_dict(), _select_network(content["state_dict"])
    same_classes = list(content["hyper_parameters"]["class_names"]) == list(classifier.class_names)
    left = [] if same_classes else _name_classifiers(network)
    for name in dict.fromkeys([*own, *theirs]):
        if name in left:
            continue
        if name not in theirs or name not in own:
            where = "this network" if name in own else "that one"
            raise ValueError(f"init_from={path} belongs to another network: only {where} has {name}")
        if own[name].shape != theirs[name].shape:
            one, other = (tuple(tensors[name].shape) for tensors in (theirs, own))
            raise ValueError(f"init_from={path} belongs to another network: {name} is {one} there, {other} here")
    network.load_state_dict({**own, **{name: tensor for name, tensor in theirs.items() if name not in left}})
    taken = Taken(str(path), content["epoch"], len(own) - len(left), left)
    classes = f"; the classes are others, so that {', '.join(left)} begin anew" if left else ""
    log.info("init_from: %d tensors of %s, after epoch %d%s", taken.tensors, path, taken.epoch + 1, classes)
    return taken


def _select_network(state: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name.removeprefix(NETWORK): tensor for name, tensor in state.items() if name.startswith(NETWORK)}


def _name_classifiers(network: nn.Module) -> list[str]:
    """Tensors of the layers that put out the classes."""
    layers = {id(layer) for layer in cast(Any, network).classifiers}
    return [
        f"{name}.{tensor}" if name else tensor
        for name, module in network.named_modules()
        if id(module) in layers
        for tensor in module.state_dict()
    ]
