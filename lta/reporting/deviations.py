"""In what a run differs from the authors' training of the same network on the same data, as their Torch7 code has it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from lta.reporting.names import MODELS, Names, short
from lta.reporting.runs import Run

VGG: Mapping[str, Any] = {
    "model.width": 1.0, "model.dropout": 1.0, "model.dropout_kind": "element", "model.bn_eps": 1e-3,
    "model.init.scorer": "author", "model.init.conv": "fan_out", "model.init.batchnorm": "uniform",
    "model.prune_inert_query": False, "model.normaliser": "softmax", "model.pools": "cifar",
    "model.head.combine": "product", "preprocess.scale": 55.0, "preprocess.filter_bias": 0.1, "augment.cutout": 0,
    "test_checkpoint": "last",
    "preprocess._target_": "YuvLcn", "augment._target_": "HalfFlip", "augment.batch_shift": 0,
    "data.batch_size": 128, "data.val_size": 0,
    "recipe._target_": "SGDRecipe", "recipe.epochs": 300, "recipe.lr": 1.0, "recipe.lr_batch": 0, "recipe.momentum": 0.9,
    "recipe.dampening": 0.9, "recipe.nesterov": False, "recipe.weight_decay": 5e-4, "recipe.decay_vectors": True,
    "recipe.label_smoothing": 0.0, "recipe.average_gradients": True,
    "recipe.schedule._target_": "Steps", "recipe.schedule.every": 25, "recipe.schedule.factor": 0.5,
    "recipe.schedule.step_decay": 1e-7, "recipe.schedule.changes": None, "recipe.schedule.reset_momentum": False,
}  # fmt: skip
"""Of the authors' VGG networks on CIFAR-10. A target is given by its own name."""

BY_DATA: Mapping[str, Mapping[str, Any]] = {
    "cifar100": {"preprocess._target_": "GcnZca"},
    "svhn": {"recipe.lr": 0.1, "data.extra": False},
    "cub200": {
        "preprocess._target_": "Standardize", "recipe.lr": 0.1, "recipe.epochs": 320, "data.image_size": 80,
        "data.crop": "bounding_box", "model.pools": "cub",
        "recipe.schedule.changes": [[30, 2], [60, 2], *([epoch, 0.5] for epoch in range(90, 301, 30))],
    },
}  # fmt: skip

RESNET: Mapping[str, Any] = {
    "model.bn_eps": 1e-5, "preprocess._target_": "GcnZca", "augment.batch_shift": 4, "data.batch_size": 64,
    "recipe.epochs": 200, "recipe.lr": 0.1, "recipe.dampening": 0.0, "recipe.nesterov": True,
    "recipe.schedule.changes": [[60, 0.2], [120, 0.2], [160, 0.2]], "recipe.schedule.step_decay": 0.0,
    "recipe.schedule.reset_momentum": True,
}  # fmt: skip

BY_MODEL: Mapping[str, Mapping[str, Any]] = {
    "vgg_pan": {"model.normaliser": MODELS["vgg_pan"]["normaliser"]}, "vgg_att3_upprojecting": {"data.batch_size": 64},
}  # fmt: skip

BY_ROW: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("vgg", "cifar10"): {"preprocess._target_": "GcnZca"}, ("vgg_att1", "cifar10"): {"preprocess._target_": "GcnZca"},
    ("vgg", "svhn"): {"preprocess._target_": "Standardize"}, ("vgg_pan", "cub200"): {"data.batch_size": 32},
}  # fmt: skip

WORDS = {
    "model.width": "width", "recipe.epochs": "epochs", "preprocess._target_": "preprocessing",
    "augment._target_": "augmentation", "data.val_size": "images kept for validation", "data.batch_size": "batch",
    "recipe.lr": "learning rate", "recipe.dampening": "dampening", "recipe.average_gradients": "averaged gradients",
    "recipe.schedule._target_": "schedule", "model.init.scorer": "scorer's start",
    "model.init.batchnorm": "batch norm's start", "model.dropout": "dropout's scale",
    "recipe.decay_vectors": "decay of norms, biases and scorers",
}  # fmt: skip


class Deviation(NamedTuple):
    """`setting`: its place in the configuration. `words`: for a reader, with both values."""

    setting: str
    ours: Any
    papers: Any
    words: str


def value_of(config: Mapping[str, Any], setting: str) -> tuple[bool, Any]:
    """Whether there is such a setting, and its value; a target by its own name."""
    node: Any = config
    for key in setting.split("."):
        if not isinstance(node, Mapping) or key not in node:
            return False, None
        node = node[key]
    return True, short(node) if setting.endswith("_target_") else node


def reference(names: Names) -> Mapping[str, Any]:
    """The authors' settings."""
    family = VGG | RESNET if names.model.startswith("rn") else VGG
    of_row = BY_ROW.get((names.model, names.data), {})
    return {**family, **BY_DATA.get(names.data, {}), **BY_MODEL.get(names.model, {}), **of_row}


def deviations(run: Run, names: Names) -> list[Deviation]:
    """Settings that the run does not have (dropout of a network without it) are no deviation."""
    return list(_found(run, reference(names)))


def _found(run: Run, theirs: Mapping[str, Any]) -> Iterator[Deviation]:
    coding = run.results.get("coding")
    if coding and coding != "official":
        yield Deviation("coding", coding, "official", f"data: {coding}")
    precision = run.results.get("precision", "32-true")
    if not str(precision).startswith("32"):
        yield Deviation("precision", precision, "32-true", f"precision {precision} (authors: 32)")
    another_kind = value_of(run.config, "recipe.schedule._target_")[1] != theirs["recipe.schedule._target_"]
    for setting, papers in theirs.items():
        if another_kind and setting.startswith("recipe.schedule.") and setting != "recipe.schedule._target_":
            continue  # another schedule has other settings
        there, ours = value_of(run.config, setting)
        if there and ours != papers:
            yield Deviation(
                setting, ours, papers, f"{WORDS.get(setting, setting)} {_shown(ours)} (authors: {_shown(papers)})"
            )


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
