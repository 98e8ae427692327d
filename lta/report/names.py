"""What a run trained, by names: of lta's own parts by their settings, of others' by what was chosen from conf/."""

from collections.abc import Collection, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

MODELS: Mapping[str, Mapping[str, Any]] = {
    "vgg": {"_target_": "vgg"},
    "vgg_gap": {"_target_": "vgg_gap"},
    "vgg_late": {"_target_": "vgg_late"},
    "vgg_att1": {"_target_": "vgg_attention", "levels": ["C"], "gates": [], "query": "shared"},
    "vgg_att2": {"_target_": "vgg_attention", "levels": ["B", "C"], "gates": [], "query": "shared"},
    "vgg_att2_two_globals": {"_target_": "vgg_attention", "levels": ["B", "C"], "gates": [], "query": "own"},
    "vgg_att3": {"_target_": "vgg_attention", "levels": ["A", "B", "C"], "gates": [], "query": "shared", "project": "query"},
    "vgg_att3_upprojecting": {
        "_target_": "vgg_attention",
        "levels": ["A", "B", "C"],
        "gates": [],
        "query": "shared",
        "project": "local",
    },
    "vgg_att3_three_globals": {"_target_": "vgg_attention", "levels": ["A", "B", "C"], "gates": [], "query": "own"},
    "vgg_pan": {
        "_target_": "vgg_attention",
        "levels": ["B", "C"],
        "gates": ["B"],
        "query": "own",
        "normaliser": {"A": "sigmoid", "B": "sigmoid", "C": "softmax"},
    },
    "vgg_progressive_hl": {
        "_target_": "vgg_attention",
        "levels": ["B", "C"],
        "gates": ["B"],
        "query": "own",
        "normaliser": "softmax",
    },
    "vgg_progressive_ll": {
        "_target_": "vgg_attention",
        "levels": ["A", "C"],
        "gates": ["A"],
        "query": "own",
        "normaliser": "softmax",
    },
    "air_wide": {"_target_": "air", "depth": 3, "residual": True},
    "air_wide_gap": {"_target_": "air_gap", "depth": 3, "residual": True},
    "air_wide_att3": {
        "_target_": "air_attention",
        "levels": ["A", "B", "C"],
        "query": "shared",
        "project": "query",
        "depth": 3,
        "residual": True,
    },
    "air": {"_target_": "air"},
    "air_gap": {"_target_": "air_gap"},
    "air_att1": {"_target_": "air_attention", "levels": ["C"], "query": "shared"},
    "air_att2": {"_target_": "air_attention", "levels": ["B", "C"], "query": "shared"},
    "air_att3": {"_target_": "air_attention", "levels": ["A", "B", "C"], "query": "shared", "project": "query"},
    "backbone_gap": {"_target_": "backbone_gap"},
    "backbone_att1": {"_target_": "backbone_attention", "levels": ["B"]},
    "backbone_att2": {"_target_": "backbone_attention", "levels": ["B", "D"]},
    "backbone_att3": {"_target_": "backbone_attention", "levels": ["A", "B", "D"]},
    "rn164": {"_target_": "resnet", "depth": 164},
    "rn_att1": {"_target_": "resnet_attention", "levels": ["C"], "depth": 164},
    "rn_att2": {"_target_": "resnet_attention", "levels": ["B", "C"], "depth": 164},
}
"""What a model's configuration must say to be that model; `_target_` is the function's own name."""

COMPATIBILITIES = {
    "Parametrised": "pc",
    "DotProduct": "dp",
    "Additive": "additive",
    "Uniform": "uniform",
    "Frozen": "frozen",
}
HEADS = {"ConcatHead": "concat", "IndependentHead": "indep"}
DATA = {
    "SVHN": "svhn",
    "CUB200": "cub200",
    "STL10": "stl10",
    "DigitScenes": "digit_scenes",
    "ImageFolder": "image_folder",
    "MaskFolder": "mask_folder",
    "BoxFolder": "box_folder",
    "Composites": "composites",
    "DigitPairs": "digit_pairs",
}

NAMED_DATA = ("cifar10", "cifar100")
"""Data that say their name themselves: one class has several."""


class Names(NamedTuple):
    """`compat` and `head` are None for networks without attention; what nobody named is called by its class."""

    model: str
    compat: str | None
    head: str | None
    data: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.model, self.compat, self.head) if part)


def shorten_target(target: Any) -> str:
    """`lta.layers.heads.ConcatHead` -> `ConcatHead`."""
    return str(target).rpartition(".")[2]


def names_of(config: Mapping[str, Any], choices: Mapping[str, Any] | None = None) -> Names:
    """Of a run's configuration, which holds `model` and `data`; `choices` by group, where the run recorded them.

    A part of lta's is what its settings say, whatever was chosen first: `model=vgg_att3 model.levels=[B,C]` is a vgg_att2.
    A part from elsewhere has the name of the file that it was chosen by.
    """
    choices = choices or {}
    model = config["model"]
    compat, head = (
        _find_name(model.get(part), table, choices.get(part))
        for part, table in (("compat", COMPATIBILITIES), ("head", HEADS))
    )
    if compat == "dp" and model["compat"].get("scaled"):
        compat = "scaled_dp"
    if head == "concat" and len(model.get("levels") or ()) == 1:
        head = "single"
    data = config["data"]
    named = isinstance(data.get("name"), str) and _is_own(data.get("_target_"))
    of = data["name"] if named else _find_name(data, DATA, choices.get("data"), NAMED_DATA)
    if of in ("image_folder", "mask_folder", "box_folder") and data.get("root"):  # two folders are two data sets
        of = f"{of} {PurePath(str(data['root'])).name}"
    return Names(_find_model(model, choices.get("model")), compat, head, str(of))


def _find_model(node: Mapping[str, Any], choice: Any) -> str:
    model = dict(node, _target_=shorten_target(node.get("_target_")))
    fits = [name for name, says in MODELS.items() if all(model.get(key) == value for key, value in says.items())]
    if _is_own(node.get("_target_")) and fits:
        return choice if choice in fits else fits[0]
    return _choose_name(node.get("_target_"), MODELS, choice)


def _find_name(node: Any, table: Mapping[str, str], choice: Any = None, taken: Collection[str] = frozenset()) -> str | None:
    if not isinstance(node, Mapping) or "_target_" not in node:
        return None
    target = node["_target_"]
    known = table.get(shorten_target(target)) if _is_own(target) else None
    return known or _choose_name(target, {*table.values(), *taken}, choice)


def _choose_name(target: Any, taken: Collection[str], choice: Any) -> str:
    """What was chosen, unless that is lta's name of something else (`compat=pc compat._target_=a.B`): else the class."""
    return choice if isinstance(choice, str) and choice not in taken and not _is_own(target) else shorten_target(target)


def _is_own(target: Any) -> bool:
    return str(target).startswith("lta.")
