"""Any network of timm as a trunk: levels A, B, C at strides of 8, 16 and 32 pixels (of a ViT: after each third of its
blocks), D, its last features, and the vector that its class layer reads as query."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lta import checks
from lta.layers.standardise import Standardise, Statistics
from lta.models.backbone_attention import has_class_token, record_attention, roll_out, take_class_token
from lta.models.backbone_cells import is_made_of_patches, measure_cells, place_patches
from lta.models.backbone_parts import choose_parts, compute_blocks_again, freeze, list_parts
from lta.models.backbone_registry import LAST, build_model, check_size, examine, read_facts, read_features
from lta.models.backbone_weights import (
    PACKAGED,
    SOURCES,
    count_classes,
    find_packaged,
    find_weights,
    load_file,
    set_class_count,
)
from lta.models.measured import Batches, Measured
from lta.protocols import Cells, Features

log = logging.getLogger(__name__)

SAVE = ("weights", "reference")
STATISTICS = ("kept", "trained")
MEASURED = 256
"""Training pictures on which the levels' means and spreads are measured."""


class BackboneTrunk(Measured):
    """`name`: of timm's registry. `weights`: "package", "hub", a file, "none" (random) or "checkpoint" (they come with the
    state that is loaded); None: "package" where one has them, else "hub". `sha256`: that the file must have.

    `train`: "none", "last", a number of last parts, or "all"; parts are timm's own, stages or blocks. The class layer is
    kept and never trained. Frozen parts stay in eval mode; of parts that are trained, the batch norms' statistics are "kept"
    or "trained" (`statistics`). `save="reference"` leaves the weights of a frozen network out of the state, which then holds
    the SHA-256 of their file alone.
    `output_stride`: 8 or 16 dilates the last stages instead of making their maps smaller, where timm has it.
    `checkpointing`: what lies between blocks is kept for the backward pass, and what is inside of them computed again.
    `cache`: a training computes the features of each picture once (lta.training.cached_features).
    `standardise`: levels have mean 0 and spread 1, channel by channel, measured once by `fit`.

    On the meta device nothing is read or downloaded. Raises ValueError for what can't be, in one line.
    """

    one_size = True
    """Whether it is exported for the pictures' size that it was trained on: layers may pad or place themselves by it, and
    cells then lie elsewhere in pictures of others."""

    def __init__(
        self,
        name: str = "tf_efficientnet_lite0",
        weights: str | None = None,
        sha256: str | None = None,
        train: str | int = "none",
        statistics: str = "kept",
        save: str = "weights",
        output_stride: int | None = None,
        standardise: bool = True,
        cache: bool = False,
        checkpointing: bool = False,
    ):
        super().__init__()
        checks.require_choice("model.backbone.save", save, SAVE)
        checks.require_choice("model.backbone.statistics", statistics, STATISTICS)
        checks.require_flag("model.backbone.standardise", standardise)
        checks.require_flag("model.backbone.cache", cache)
        checks.require_flag("model.backbone.checkpointing", checkpointing)
        self.computes_once = cache
        self._given: Features | None = None
        self.name, self.output_stride, self.saves_reference = name, output_stride, save == "reference"
        self.anatomy = examine(name, output_stride)
        self.model = build_model(name, output_stride)
        self.channels: dict[str, int] = dict(self.anatomy.channels)
        self.query_channels = self.anatomy.query
        self.reference: Path | None = None  # where weights lie that a state names by their digest, if not in the package
        self.digest: Tensor
        self.register_buffer("digest", torch.zeros(32, dtype=torch.uint8))
        self.norms = nn.ModuleDict({level: Standardise(width) for level, width in self.channels.items() if standardise})
        self.is_random, self.waits_for_state = weights in ("none", "checkpoint"), weights == "checkpoint"
        if self.saves_reference and weights == "none":
            raise ValueError("model.backbone.save=reference needs weights to refer to, but model.backbone.weights is none")
        self._read_weights(weights, sha256)
        layer = read_facts(name).class_layer or ""
        self.trained_parts = choose_parts(list_parts(self.model, layer), train)
        if self.saves_reference and self.trained_parts:
            raise ValueError(f"model.backbone.save=reference is for a frozen network, but model.backbone.train is {train}")
        if cache and self.trained_parts:
            raise ValueError(f"model.backbone.cache=true is for a frozen network, but model.backbone.train is {train}")
        if checkpointing and not self.trained_parts:
            raise ValueError(f"model.backbone.checkpointing=true is for trained parts, but model.backbone.train is {train}")
        if checkpointing:
            compute_blocks_again(self.model, name, statistics)
        names = {weight for part in self.trained_parts for weight in part}
        self._acting = freeze(self.model, names, keep_statistics=statistics == "kept")
        self.register_state_dict_post_hook(_leave_out_frozen)
        self._cells: dict[tuple[int, bool], dict[str, Cells]] = {}

    def features(self, images: Float[Tensor, "batch 3 height width"]) -> Features:
        """Levels `(batch, channels[level], height, width)` and the query `(batch, query_channels)`."""
        given, self._given = self._given, None
        if given is not None:
            return given
        maps, final, query = read_features(self.model, images, self.anatomy.indices)
        return Features(self.standardise(dict(zip(self.channels, [*maps, final], strict=True))), query)

    def standardise(self, levels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Those of `compute_levels`, as `features` gives them."""
        return {level: self.norms[level](x) if level in self.norms else x for level, x in levels.items()}

    def give_features(self, features: Features) -> None:
        """What the next call of `features` returns: that of its pictures, computed before."""
        self._given = features

    @property
    def input_size(self) -> tuple[int, int]:
        """(height, width) that it was made for."""
        return read_facts(self.name).size

    @property
    def cells(self) -> Mapping[str, Cells]:
        """In pictures of `input_size`."""
        return self.cells_in(self.input_size)

    def cells_in(self, size: tuple[int, int]) -> Mapping[str, Cells]:
        """In pictures of `size` (height, width): where a network pads by their size, so do its cells lie. Raises ValueError
        where that differs along rows and columns.

        Of weights that were learned, by what they really read: level B of lite0 reads around pixel 9.7 for its first cell,
        while its window, which is padded on one side only, has pixel 15 in the middle. Of random weights, by the windows.
        """
        step = self.size_step
        if step is None:
            return {level: place_patches(stride) for level, stride in self.anatomy.strides.items()}
        found = [self._measure_side(side % step, step) for side in dict.fromkeys(size)]
        if found[0] != found[-1]:
            raise ValueError(f"the cells of {self.name} lie differently along rows and columns of {size[1]} x {size[0]}")
        return found[0]

    def _measure_side(self, rest: int, step: int) -> dict[str, Cells]:
        """Along a side that is `rest` pixels longer than a multiple of `step`; others are padded in the same way."""
        key = (rest, self.is_random)
        if key not in self._cells:
            self._cells[key] = measure_cells(self.model, self._compute_levels, step + rest, step, weighed=not self.is_random)
        return self._cells[key]

    def compute_levels(self, images: Float[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        """As the pretrained network has them, not standardised."""
        return self._compute_levels(self.model, images)

    @property
    def has_class_token(self) -> bool:
        """Whether its own attention can be computed: of a ViT."""
        return has_class_token(self.model)

    def compute_attention(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Levels as of `compute_levels`, and of the same pass how the class token attends to the patches, (batch, rows,
        columns): in the last block ("class_token"), and through all blocks ("rollout")."""
        with record_attention(self.model) as blocks:
            levels = self._compute_levels(self.model, images)
        size = (levels[LAST].shape[2], levels[LAST].shape[3])
        of_blocks = {"class_token": blocks[-1], "rollout": roll_out(blocks)}
        return levels, {name: take_class_token(self.model, one, size) for name, one in of_blocks.items()}

    def _compute_levels(self, model: nn.Module, images: Tensor) -> dict[str, Tensor]:
        maps, final, _ = read_features(model, images, self.anatomy.indices)
        return dict(zip(self.channels, [*maps, final], strict=True))

    def classify(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch classes"]:
        """By its own class layer, of the classes that it was pretrained on."""
        return self.model(images)

    @property
    def class_layer(self) -> nn.Linear | None:
        """Of its own classes, where that is one linear layer behind an average of level D."""
        layer = cast(Any, self.model).get_classifier()
        fits = isinstance(layer, nn.Linear) and layer.in_features == self.channels[LAST] == self.query_channels
        pool = getattr(self.model, "global_pool", None)
        return layer if fits and "avg" in str(getattr(pool, "pool_type", pool)) else None

    @property
    def size_step(self) -> int | None:
        """Sides of pictures that it takes as well as its own are multiples of so many pixels; None where it is made for
        pictures of one size."""
        return None if is_made_of_patches(self.model) else round(max(32, *self.anatomy.strides.values()))

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises ValueError where it takes no pictures of `size` (height, width)."""
        check_size(self.name, self.output_stride, size)

    # What is trained.

    def list_trained_parts(self) -> list[list[nn.Parameter]]:
        """The trained parameters, part by part, shallow to deep."""
        weights = dict(self.model.named_parameters())
        return [[weights[name] for name in part] for part in self.trained_parts]

    def train(self, mode: bool = True) -> "BackboneTrunk":
        """Only the trained parts change their mode: frozen layers always act as in evaluation."""
        super().train(mode)
        self.model.eval()
        for module in self._acting:
            module.training = mode
        return self

    # What is measured.

    @torch.no_grad()
    def fit(self, batches: Batches) -> None:
        """Means and spreads of the levels, over the places of some training pictures; nothing where a state brings them."""
        if self.waits_for_state:
            return
        self.eval()
        found = {level: Statistics() for level in self.norms}
        for images in batches(MEASURED if found else 1):
            size = (images.shape[2], images.shape[3])
            self.check_size(size)
            self.cells_in(size)  # where it can't say them, before it is trained
            if found:
                for level, feature in self._compute_levels(self.model, images).items():
                    found[level].add(feature)
        for level, statistics in found.items():
            norm = self.norms[level]
            assert isinstance(norm, Standardise)
            norm.set_statistics(*statistics.compute())

    def copy_measured(self, of: nn.Module) -> None:
        """And the pretrained weights, which are no more drawn by a seed than what was measured. Raises ValueError where they
        were trained since."""
        assert isinstance(of, BackboneTrunk)
        if of.trained_parts:
            raise ValueError(
                f"the weights that {self.name} was trained from are not kept: model.backbone.train was not none"
            )
        set_class_count(self.model, self.name, count_classes(of.model, self.name))
        for own, theirs in ((self.model, of.model), (self.norms, of.norms)):
            own.load_state_dict(theirs.state_dict())
        self.digest.copy_(of.digest)
        self.is_random, self.waits_for_state = of.is_random, of.waits_for_state
        self._cells.clear()

    # Where the weights come from, and where they are left out.

    def _read_weights(self, source: str | None, sha256: str | None) -> None:
        chosen = choose_source(self.name) if source is None else source
        if not isinstance(chosen, str):
            raise ValueError(f"model.backbone.weights={chosen} must be one of {', '.join(SOURCES[:3])}, or a file")
        if self.digest.is_meta:
            if chosen != "hub":
                find_weights(self.name, chosen)
            return
        if (path := find_weights(self.name, chosen)) is not None:
            self._load(path, sha256)
        elif sha256 is not None and chosen == "none":
            raise ValueError("model.backbone.sha256 is given, but model.backbone.weights=none has no file")

    def _load(self, path: Path, sha256: str | None) -> None:
        digest = load_file(self.model, self.name, path, sha256)
        self.digest.copy_(torch.frombuffer(bytearray.fromhex(digest), dtype=torch.uint8))
        self.is_random = False
        log.info("backbone: %s with the weights of %s (sha256 %s)", self.name, path.name, digest[:16])

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Before its parts take theirs: weights that the state names by their digest alone are found and filled in."""
        inner = f"{prefix}model."
        layer = f"{read_facts(self.name).class_layer}.weight"
        if not any(key.startswith(inner) for key in state):
            self._fetch_reference(state.get(f"{prefix}digest"))
            own = self.model.state_dict()
            state.update({f"{inner}{name}": value for name, value in own.items()})
        given = state.get(f"{inner}{layer}")
        set_class_count(self.model, self.name, 0 if given is None else len(given))
        self.waits_for_state = False
        self._cells.clear()  # they lie where the weights read
        super()._load_from_state_dict(state, prefix, *rest)
        if not self.digest.is_meta:  # random weights have no file whose digest it could be
            self.is_random = not bool(self.digest.any())

    def _fetch_reference(self, digest: Any) -> None:
        if not isinstance(digest, Tensor) or digest.dtype != torch.uint8 or digest.shape != (32,):
            raise RuntimeError(f"the file leaves out the weights of {self.name} and does not say which they were")
        if not self.is_random and torch.equal(digest.cpu(), self.digest.cpu()):
            return  # they are here
        asked = bytes(digest.tolist()).hex()
        path = self.reference or _find_known(self.name)
        if path is None:
            raise RuntimeError(
                f"the weights of {self.name} (SHA-256 {asked}) are left out: give their file as weights=FILE on this command"
            )
        self._load(path, asked)


def choose_source(name: str) -> str:
    """Where the weights of this network come from if nothing is said."""
    return "package" if name.partition(".")[0] in PACKAGED else "hub"


def _find_known(name: str) -> Path | None:
    try:
        return find_packaged() if choose_source(name) == "package" else None
    except ValueError:
        return None


def _leave_out_frozen(trunk: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    assert isinstance(trunk, BackboneTrunk)
    if trunk.saves_reference:
        for name in trunk.model.state_dict():
            state.pop(f"{prefix}model.{name}", None)


LEVELS: Sequence[str] = ("A", "B", "C", LAST)
