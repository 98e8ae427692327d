"""What a run trained, by the project's names: told from its configuration, not from what it was called."""

from collections.abc import Mapping
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
    "air": {"_target_": "air"},
    "air_gap": {"_target_": "air_gap"},
    "air_att1": {"_target_": "air_attention", "levels": ["C"], "query": "shared"},
    "air_att2": {"_target_": "air_attention", "levels": ["B", "C"], "query": "shared"},
    "air_att3": {"_target_": "air_attention", "levels": ["A", "B", "C"], "query": "shared", "project": "query"},
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
    "Composites": "composites",
    "DigitPairs": "digit_pairs",
}


class Names(NamedTuple):
    """`compat` and `head` are None for networks without attention; what has no name is called by its class."""

    model: str
    compat: str | None
    head: str | None
    data: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.model, self.compat, self.head) if part)


def shorten_target(target: Any) -> str:
    """`lta.layers.heads.ConcatHead` -> `ConcatHead`."""
    return str(target).rpartition(".")[2]


def names_of(config: Mapping[str, Any]) -> Names:
    """Of a run's configuration, which holds `model` and `data`."""
    model = dict(config["model"], _target_=shorten_target(config["model"].get("_target_")))
    fits = [name for name, says in MODELS.items() if all(model.get(key) == value for key, value in says.items())]
    compat, head = (_find_name(model.get(part), table) for part, table in (("compat", COMPATIBILITIES), ("head", HEADS)))
    if compat == "dp" and model["compat"].get("scaled"):
        compat = "scaled_dp"
    if head == "concat" and len(model.get("levels") or ()) == 1:
        head = "single"
    data = config["data"]
    of = data["name"] if isinstance(data.get("name"), str) else _find_name(data, DATA)
    if of in ("image_folder", "mask_folder") and data.get("root"):  # two folders are two data sets
        of = f"{of} {PurePath(str(data['root'])).name}"
    return Names(fits[0] if fits else model["_target_"], compat, head, str(of))


def _find_name(node: Any, table: Mapping[str, str]) -> str | None:
    if not isinstance(node, Mapping) or "_target_" not in node:
        return None
    return table.get(shorten_target(node["_target_"]), shorten_target(node["_target_"]))
