"""In what a run differs from the authors' training of the same network on the same data, as their Torch7 code has it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lta.report.names import MODELS, Names, shorten_target
from lta.report.runs import Run

VGG: Mapping[str, Any] = {
    "model.width": 1.0,
    "model.dropout": 1.0,
    "model.dropout_kind": "element",
    "model.bn_eps": 1e-3,
    "model.init.scorer": "author",
    "model.init.conv": "fan_out",
    "model.init.batchnorm": "uniform",
    "model.prune_inert_query": False,
    "model.normaliser": "softmax",
    "model.pools": "cifar",
    "model.head.combine": "product",
    "preprocess.scale": 55.0,
    "preprocess.filter_bias": 0.1,
    "augment.cutout": 0,
    "test_checkpoint": "last",
    "preprocess._target_": "YuvLcn",
    "augment._target_": "HalfFlip",
    "augment.batch_shift": 0,
    "data.batch_size": 128,
    "data.val_size": 0,
    "recipe._target_": "SGDRecipe",
    "recipe.epochs": 300,
    "recipe.lr": 1.0,
    "recipe.lr_batch": 0,
    "recipe.momentum": 0.9,
    "recipe.dampening": 0.9,
    "recipe.nesterov": False,
    "recipe.weight_decay": 5e-4,
    "recipe.decay_vectors": True,
    "recipe.label_smoothing": 0.0,
    "recipe.average_gradients": True,
    "recipe.schedule._target_": "Steps",
    "recipe.schedule.every": 25,
    "recipe.schedule.factor": 0.5,
    "recipe.schedule.step_decay": 1e-7,
    "recipe.schedule.changes": None,
    "recipe.schedule.reset_momentum": False,
}
"""Of the authors' VGG networks on CIFAR-10. A target is given by its own name."""

BY_DATA: Mapping[str, Mapping[str, Any]] = {
    "cifar100": {"preprocess._target_": "GcnZca"},
    "svhn": {"recipe.lr": 0.1, "data.extra": False},
    "cub200": {
        "preprocess._target_": "Standardize",
        "recipe.lr": 0.1,
        "recipe.epochs": 320,
        "data.image_size": 80,
        "data.crop": "bounding_box",
        "model.pools": "cub",
        "recipe.schedule.changes": [[30, 2], [60, 2], *([epoch, 0.5] for epoch in range(90, 301, 30))],
    },
}

RESNET: Mapping[str, Any] = {
    "model.bn_eps": 1e-5,
    "preprocess._target_": "GcnZca",
    "augment.batch_shift": 4,
    "data.batch_size": 64,
    "recipe.epochs": 200,
    "recipe.lr": 0.1,
    "recipe.dampening": 0.0,
    "recipe.nesterov": True,
    "recipe.schedule.changes": [[60, 0.2], [120, 0.2], [160, 0.2]],
    "recipe.schedule.step_decay": 0.0,
    "recipe.schedule.reset_momentum": True,
}

AIR: Mapping[str, Any] = {
    "model.width": 1.0,
    "model.taps": "late",
    "model.output_scale": 0.1111,
    "model.whiten": True,
    "model.bn_gain": False,
    "model.bn_momentum": 0.4,
    "model.bn_eps": 1e-12,
    "model.init.conv": "dirac",
    "model.init.batchnorm": "one",
    "test_checkpoint": "last",
    "preprocess._target_": "Standardize",
    "augment._target_": "FlipCropCutout",
    "augment.flip": 0.5,
    "augment.alternate": True,
    "augment.shift": 2,
    "augment.cutout": 0,
    "data.batch_size": 1024,
    "data.val_size": 0,
    "recipe._target_": "SGDRecipe",
    "recipe.epochs": 10,
    "recipe.lr": 1.5,
    "recipe.lr_batch": 1024,
    "recipe.momentum": 0.85,
    "recipe.dampening": 0.0,
    "recipe.nesterov": True,
    "recipe.weight_decay": 1.33e-3,
    "recipe.decay_vectors": True,
    "recipe.label_smoothing": 0.2,
    "recipe.average_gradients": False,
    "recipe.norm_bias_scale": 64.0,
    "recipe.first_bias_epochs": 3,
    "recipe.lookahead": True,
    "recipe.schedule._target_": "Triangle",
    "recipe.schedule.start": 0.2,
    "recipe.schedule.peak": 0.23,
    "recipe.schedule.end": 0.07,
}
"""Of the compact trunk, as airbench94 was trained (arXiv 2404.00498; 9.9 epochs there)."""

HALF = "16-true"
"""The precision of airbench94, but for its batch norms; the authors of the paper trained in float32."""

BY_MODEL: Mapping[str, Mapping[str, Any]] = {
    "vgg_pan": {"model.normaliser": MODELS["vgg_pan"]["normaliser"]},
    "vgg_att3_upprojecting": {"data.batch_size": 64},
}

BY_ROW: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("vgg", "cifar10"): {"preprocess._target_": "GcnZca"},
    ("vgg_att1", "cifar10"): {"preprocess._target_": "GcnZca"},
    ("vgg", "svhn"): {"preprocess._target_": "Standardize"},
    ("vgg_pan", "cub200"): {"data.batch_size": 32},
}

NOT_KNOWN = "not known"
"""Stands for the authors' value where neither their code nor their record tells it."""


class Apart(NamedTuple):
    """Settings (`parts`: how their names begin) of some rows that can't be compared one by one; "" is any name."""

    model: str
    compat: str
    data: str
    parts: Sequence[str]
    papers: str
    words: str


APART = (
    Apart(
        "",
        "",
        "cub200",
        ("preprocess.", "data.crop"),
        NOT_KNOWN,
        "how the authors cropped and normalised these pictures is not known",
    ),
    Apart(
        "vgg",
        "",
        "svhn",
        ("preprocess.",),
        NOT_KNOWN,
        "how the authors made their pictures for this row (svhn_orig) is not known",
    ),
    Apart(
        "vgg_gap",
        "",
        "",
        ("preprocess.",),
        NOT_KNOWN,
        "the authors' training of this network is not in their repository: their preprocessing is not known",
    ),
    Apart(
        "vgg_att2",
        "pc",
        "svhn",
        ("recipe.lr",),
        NOT_KNOWN,
        'the authors\' script has a learning rate of 1 here ("#maybe 0.1"), and 0.1 in its other rows',
    ),
    Apart(
        "vgg_att3",
        "pc",
        "svhn",
        ("recipe.lr",),
        NOT_KNOWN,
        'the authors\' script has a learning rate of 1 here ("#maybe 0.1"), and 0.1 in its other rows',
    ),
    Apart("vgg_att3", "dp", "", (), NOT_KNOWN, "whether the authors trained dp at three levels is not known"),
    Apart("", "dp", "cub200", (), "CIFAR-100 weights", "starts from random weights (authors: from CIFAR-100 weights)"),
    Apart("vgg_pan", "", "cub200", (), "CIFAR-100 weights", "starts from random weights (authors: from CIFAR-100 weights)"),
)
"""Rows, not settings: what their scripts leave open, and what they did that no setting here does."""

TEST_IMAGES: Mapping[str, int] = {"cifar10": 10_000, "cifar100": 10_000, "svhn": 26_032, "cub200": 5_794}
"""Of the data sets that the authors trained on."""

WORDS = {
    "model.width": "width",
    "recipe.epochs": "epochs",
    "preprocess._target_": "preprocessing",
    "augment._target_": "augmentation",
    "data.val_size": "images kept for validation",
    "data.batch_size": "batch",
    "recipe.lr": "learning rate",
    "recipe.dampening": "dampening",
    "recipe.average_gradients": "averaged gradients",
    "recipe.schedule._target_": "schedule",
    "model.init.scorer": "scorer's start",
    "model.init.batchnorm": "batch norm's start",
    "model.dropout": "dropout's scale",
    "recipe.decay_vectors": "decay of norms, biases and scorers",
}


class Deviation(NamedTuple):
    """`setting`: its place in the configuration. `words`: for a reader, with both values. `papers` may be NOT_KNOWN."""

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
    return True, shorten_target(node) if setting.endswith("_target_") else node


def is_compact(names: Names) -> bool:
    """Whether the trunk is airbench94's, which its training is compared with."""
    return names.model.startswith("air")


def find_reference_settings(names: Names) -> Mapping[str, Any]:
    """The authors' settings; airbench94's where the trunk is its."""
    if is_compact(names):
        return AIR
    family = {**VGG, **RESNET} if names.model.startswith("rn") else VGG
    of_row = BY_ROW.get((names.model, names.data), {})
    return {**family, **BY_DATA.get(names.data, {}), **BY_MODEL.get(names.model, {}), **of_row}


def is_trained_by_authors(data: str) -> bool:
    """On other data sets a run is compared with their training on CIFAR-10."""
    return data in TEST_IMAGES


def find_deviations(run: Run, names: Names) -> list[Deviation]:
    """Settings that the run does not have (dropout of a network without it) are no deviation."""
    apart = [
        one
        for one in APART
        if one.model in ("", names.model)
        and one.compat in ("", names.compat)
        and one.data in ("", names.data)
        and is_trained_by_authors(names.data)
    ]
    skipped = tuple(part for one in apart for part in one.parts)
    theirs = {setting: value for setting, value in find_reference_settings(names).items() if not setting.startswith(skipped)}
    said = [Deviation(one.parts[0].rstrip(".") if one.parts else "model", None, one.papers, one.words) for one in apart]
    return [*_iter_deviations(run, names, theirs), *said]


def _iter_deviations(run: Run, names: Names, theirs: Mapping[str, Any]) -> Iterator[Deviation]:
    images, all_images = run.results.get("test_images"), TEST_IMAGES.get(names.data)
    if all_images is not None and images is not None and images != all_images:
        yield Deviation("test_images", images, all_images, f"tested on {images} images of {all_images:,}")
    coding = run.results.get("coding")
    if coding and coding != "official":
        yield Deviation("coding", coding, "official", f"data: {coding}")
    whose = "airbench94" if is_compact(names) else "authors"
    precision = str(run.results.get("precision", "32-true"))
    papers = HALF if is_compact(names) else "32-true"
    if precision.partition("-")[0] != papers.partition("-")[0]:
        yield Deviation("precision", precision, papers, f"precision {precision} ({whose}: {papers.partition('-')[0]})")
    another_kind = value_of(run.config, "recipe.schedule._target_")[1] != theirs["recipe.schedule._target_"]
    for setting, papers in theirs.items():
        if another_kind and setting.startswith("recipe.schedule.") and setting != "recipe.schedule._target_":
            continue  # another schedule has other settings
        there, ours = value_of(run.config, setting)
        ours = _merge_normalisers(ours, run.config) if setting == "model.normaliser" else ours
        if there and ours != papers:
            own = _describe_own_settings(run.config, setting) if setting.endswith("_target_") else ""
            words = f"{WORDS.get(setting, setting)} {_format_value(ours)}{own} ({whose}: {_format_value(papers)})"
            yield Deviation(setting, ours, papers, words)


def _describe_own_settings(config: Mapping[str, Any], target: str) -> str:
    """What stands beside a class that the authors did not have, and so is not compared."""
    _, node = value_of(config, target.removesuffix("._target_"))
    own = [
        f"{name} {_format_value(value)}"
        for name, value in node.items()
        if isinstance(value, (int, float, str)) and name[0] != "_"
    ]
    return f" with {', '.join(own)}" if own else ""


def _merge_normalisers(normaliser: Any, config: Mapping[str, Any]) -> Any:
    """One normaliser where every level has the same: {B: softmax, C: softmax} is softmax."""
    of_levels = (
        {str(normaliser.get(level)) for level in config["model"]["levels"]} if isinstance(normaliser, Mapping) else ()
    )
    return of_levels.pop() if len(of_levels) == 1 else normaliser


def _format_value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
