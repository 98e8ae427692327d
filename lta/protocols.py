"""The contracts: what a network, its trunk, a trained classifier and a data module must have, whoever wrote them.

They are structural: a class fulfils one by having its members and needs to inherit nothing. `lta.testing` holds a class
against them, in one call. Where behaviour is shared there is an abstract class instead: `Compatibility`
(lta.layers.compatibility), `Evaluator` (lta.evaluators.evaluator), `ImageData` (lta.data.base).

Importing this costs torch and NumPy, and no other part of lta.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, Self, TypeGuard, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:  # layers and models import this module
    from lta.layers.heads import Prediction
    from lta.models.output import NetworkOutput


__all__ = [
    "AttentionUnit",
    "ByName",
    "Cells",
    "Effect",
    "Features",
    "Head",
    "Images",
    "Loss",
    "Network",
    "QueriedNetwork",
    "Scores",
    "Split",
    "Splits",
    "TrainedClassifier",
    "Trunk",
]

T_co = TypeVar("T_co", covariant=True)


class Cells(NamedTuple):
    """Where the cells of a map lie in the picture, in pixels, along rows and columns alike: the centre of cell i is at pixel
    `offset + stride * i`, where pixel 0 is the centre of the first pixel."""

    stride: float
    offset: float


class Features(NamedTuple):
    """`levels` (batch, channels, height, width), shallow to deep; `query` (batch, channels), the vector that a query is made
    of, where the trunk has one that is not at a level of its own."""

    levels: dict[str, Tensor]
    query: Tensor | None = None


class Trunk(Protocol):
    """Returns features and knows nothing of attention: an `nn.Module`. `channels` and `cells` are by level.

    One that is made of stages gets all of this from `lta.models.trunk.StagedTrunk`; gates need such a one.
    """

    @property
    def channels(self) -> Mapping[str, int]: ...

    @property
    def cells(self) -> Mapping[str, Cells]: ...

    def features(self, images: Tensor) -> Features:
        """`images`: float (batch, 3, height, width), preprocessed."""
        ...


class Head(Protocol):
    """An `nn.Module` from the levels' descriptors, each (batch, channels), to logits. `classifiers`: the linear layers that
    put out the classes."""

    @property
    def classifiers(self) -> Iterable[nn.Linear]: ...

    def __call__(self, descriptors: Sequence[Tensor], /) -> Prediction: ...

    # What nn.Module gives.

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]: ...

    def set_submodule(self, target: str, module: nn.Module) -> None: ...


class ByName(Protocol[T_co]):
    """Modules by name, as `nn.ModuleDict` holds them."""

    def __contains__(self, name: str, /) -> bool: ...

    def __getitem__(self, name: str, /) -> T_co: ...

    def __iter__(self) -> Iterator[str]: ...

    def __len__(self) -> int: ...

    def items(self) -> Iterable[tuple[str, T_co]]: ...

    def values(self) -> Iterable[T_co]: ...


class Loss(Protocol):
    """What a network is taught by. It has no weights that are trained: no recipe would.

    Need not be there: `several_labels`, true for one whose labels are uint8 (batch, classes), 0 and 1.
    Need not be there: `fit_classes(labels, class_names)`, called before training with those of all training images.
    Need not be there: `of_masks`, a `lta.training.mask_loss.MaskLoss`, by which maps are taught too.
    """

    def __call__(self, output: NetworkOutput, labels: Tensor, /) -> Tensor:
        """`labels` int64 (batch,); returns a scalar of float32, smaller where the output is better."""
        ...


class Network(Protocol):
    """An `nn.Module` from preprocessed pictures to a `NetworkOutput`, whose `attn` is keyed by `levels`.

    `levels`: those that have a map, shallow to deep, () for a network without maps. `classifiers`: the linear layers that
    put out the classes; joined, what they read is the picture's feature vector.

    Need not be there: `cells`, by level where the cells of its map lie (`Cells`), without which a map is taken to cover the
    picture evenly; `map_kind`, in words, where the maps are no attention; `trunk.stages`, the parts of a `StagedTrunk`,
    by whose last one Grad-CAM explains; and what a `QueriedNetwork` has.
    """

    @property
    def levels(self) -> tuple[str, ...]: ...

    @property
    def classifiers(self) -> Sequence[nn.Linear]: ...

    def __call__(self, images: Tensor, /) -> NetworkOutput:
        """`images`: float (batch, 3, height, width)."""
        ...

    # What nn.Module gives.

    def modules(self) -> Iterator[nn.Module]: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def to(self, *args: Any, **kwargs: Any) -> Self: ...


class Scores(Protocol):
    """Of a compatibility function: whether its scores depend on the query at all.

    Need not be there: `learned`, whether training is to make the scores better; taken to be so where it is not said.
    """

    @property
    def reads_query(self) -> bool: ...


class AttentionUnit(Protocol):
    """What makes a level's map: `compat` scores the positions, `normaliser` ("softmax", "sigmoid") makes scores a map."""

    @property
    def compat(self) -> Scores: ...

    @property
    def normaliser(self) -> str: ...


class QueriedNetwork(Network, Protocol):
    """A network whose maps are made with queries that can be replaced.

    `branches[s]` makes the query of level s; `queries[t]` names the one that level t is attended with, None where it was
    left out. `attention[t]` is the unit of level t. `acting_levels` are those whose map can depend on the query,
    `inert_levels` those whose map provably ignores it, `pruned_levels` those of them whose query was left out;
    `inert_parameters` counts what acts on nothing.
    """

    @property
    def branches(self) -> ByName[nn.Module]: ...

    @property
    def queries(self) -> Mapping[str, str | None]: ...

    @property
    def attention(self) -> ByName[AttentionUnit]: ...

    @property
    def acting_levels(self) -> tuple[str, ...]: ...

    @property
    def inert_levels(self) -> tuple[str, ...]: ...

    @property
    def pruned_levels(self) -> tuple[str, ...]: ...

    @property
    def inert_parameters(self) -> int: ...

    def __call__(
        self,
        images: Tensor,
        global_feats: Mapping[str, Tensor] | None = None,
        kept: dict[str, Tensor] | None = None,
    ) -> NetworkOutput:
        """`global_feats` (batch, channels) by the level that the query is made from, in the place of the network's own. The
        same `kept`, empty at first, given with the same pictures again saves computing what no query has a part in."""
        ...


class Preprocess(Protocol):
    """An `nn.Module` from uint8 pictures, or floats from 0 to 255, to what a network sees. What `fit` measures on the
    training pictures, uint8 (n, height, width, 3), is kept in its state_dict. A module that measures nothing needs no `fit`.
    """

    def __call__(self, images: Tensor, /) -> Tensor: ...

    def fit(self, images: Images, /) -> None: ...


class TrainedClassifier(Protocol):
    """A network with its preprocessing, as `lta.load` gives it: uint8 pictures in, `NetworkOutput` out.

    `hparams` holds "image_size" (height, width) and "config", the run's configuration. `several_labels`, true where each
    class has a probability of its own, need not be there.
    """

    @property
    def network(self) -> Network: ...

    @property
    def preprocess(self) -> nn.Module: ...

    @property
    def class_names(self) -> Sequence[str]: ...

    @property
    def hparams(self) -> Mapping[str, Any]: ...

    def __call__(self, images: Tensor, /) -> NetworkOutput:
        """`images`: uint8 (batch, 3, height, width)."""
        ...

    # What nn.Module gives.

    def modules(self) -> Iterator[nn.Module]: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def eval(self) -> Self: ...

    def to(self, device: torch.device, /) -> Self: ...


class Effect(Protocol):
    """A picture, and how much each of its pixels is attended, to another picture, perhaps of another size."""

    def __call__(self, picture: Tensor, attention: Tensor, alpha: Tensor | None = None, /) -> Tensor:
        """`picture` uint8 (3, height, width), `attention` float (height, width), 0 to 1, `alpha` uint8 (height, width), the
        picture's own, None where it is opaque; returns uint8 (3 or 4, rows, columns). It says that its results are
        transparent by four channels for an opaque picture."""
        ...


class Images(Protocol):
    """An array of pictures, uint8 (n, height, width, 3), or what can be indexed like one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> np.ndarray: ...

    def __array__(self) -> np.ndarray: ...


class Split(Protocol):
    """One part of a data set: `labels` int64 (n,), or with `several_labels` uint8 (n, classes) of 0 and 1, and what
    is known besides, None where it is not.

    `roles` uint8 (n, height, width): 0 background, 1 side object, 2 main object. `sources` int64 (n,): images that share one
    are not independent. `side_labels` int64 (n,): the side object's class, -1 where there is none.

    Need not be there: `boxes` float32 (n, most, 4), and `masks` of some of the pictures, see `lta.data.batches.Split`.
    """

    @property
    def images(self) -> Images: ...

    @property
    def labels(self) -> np.ndarray: ...

    @property
    def roles(self) -> np.ndarray | None: ...

    @property
    def sources(self) -> np.ndarray | None: ...

    @property
    def side_labels(self) -> np.ndarray | None: ...

    def take(self, index: np.ndarray, /) -> Split: ...


class Splits(Protocol):
    """A data module, after `read`: three splits whose pictures have one size. `val` is None where there is no validation
    set, `train` empty where all pictures are only looked at.

    `watched_splits` are looked at after each epoch of training, the first of them first of all. `coding`, in which form the
    files came, `several_labels`, true where pictures have several labels each, and `singles`, pictures of one object each,
    need not be there.
    """

    @property
    def class_names(self) -> Sequence[str]: ...

    @property
    def train(self) -> Split: ...

    @property
    def val(self) -> Split | None: ...

    @property
    def test(self) -> Split: ...

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width)"""
        ...

    @property
    def batch_size(self) -> int:
        """Training pictures of a step, over all processes."""
        ...

    @property
    def eval_batch_size(self) -> int: ...

    @property
    def test_each_epoch(self) -> bool: ...

    @property
    def watched_splits(self) -> Mapping[str, Split]: ...

    def choose_examples(self, count: int, /) -> tuple[Split, np.ndarray]:
        """The first watched split, and `count` positions in it: always the same, evenly many of each class."""
        ...

    def read(self) -> None: ...


def get_splits(trainer: Any) -> Splits:
    """The data module that Lightning's trainer works on; its class does not declare it."""
    return trainer.datamodule


def list_missing(given: object, contract: type) -> list[str]:
    """Members of `contract` that `given`, a class or an object, has not."""
    return [name for name in _list_members(contract) if not hasattr(type(given), name) and not hasattr(given, name)]


def takes_queries(network: Network) -> TypeGuard[QueriedNetwork]:
    """Whether the network's queries can be replaced."""
    return not list_missing(network, QueriedNetwork)


def _list_members(contract: type) -> Iterable[str]:
    bases = [base for base in reversed(contract.__mro__) if base not in (object, Protocol, Generic)]
    return dict.fromkeys(name for base in bases for name in vars(base) if not name.startswith("_"))
