"""A trained network as one file that runs without lta: ONNX, or a program of torch.export.

The file takes uint8 pictures as they are (preprocessing is part of it), any number of them. Their size is free, from the
one that the network was trained on upwards, where torch.export can trace the network without fixing it; else the file takes
that size alone. Which of the two it is, is said, and stands in the file.
"""

import copy
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch._dynamo.exc import UserError
from torch.export import Dim, ExportedProgram
from torch.overrides import TorchFunctionMode

import lta
from lta.export import check
from lta.measures.label_sets import gives_several_labels
from lta.measures.placement import find_cells
from lta.protocols import TrainedClassifier
from lta.runtime.files import replace_file
from lta.runtime.teachers import name_teachers

FORMATS = {"onnx": ".onnx", "torch_export": ".pt2"}
"""How their files are named."""

NEEDED = {"onnx": ("onnx", "onnxscript"), "torch_export": ()}

TOLERANCE = 1e-4
"""Between the file and the network: a share of the largest value that the output has in the picture."""

LARGEST = 2**31 - 2**24
"""Bytes of weights: an ONNX file ends at 2 GiB."""

ABOUT = "about"
"""The key of ONNX's metadata, and of torch.export's extra files, under which the file says what it is, as JSON."""


class Exportable(nn.Module):
    """Preprocessing and network, in evaluation mode as `lta.load` gives them, as one whose outputs have names."""

    def __init__(self, preprocess: nn.Module, network: Callable[[Tensor], Any], several_labels: bool = False):
        super().__init__()
        self.several_labels = several_labels
        self.preprocess = preprocess
        self.network = network

    def forward(self, images: UInt8[Tensor, "batch 3 height width"]) -> dict[str, Tensor]:
        """`logits`, `probabilities`, and `map_<level>` for each level, of uint8 pictures."""
        output = self.network(self.preprocess(images))
        maps = {f"map_{level}": attn for level, attn in output.attn.items()}
        probabilities = output.logits.sigmoid() if self.several_labels else output.logits.softmax(1)
        return {"logits": output.logits, "probabilities": probabilities, **maps}


class Traced(NamedTuple):
    """`axes` are those of the pictures that are free, by position."""

    program: ExportedProgram
    axes: dict[int, Dim]

    @property
    def any_size(self) -> bool:
        """Whether the program takes pictures of any size."""
        return 2 in self.axes


def check_installed(form: str) -> None:
    """Raises ValueError where a library is missing that writes this format."""
    if any(find_spec(name) is None for name in NEEDED[form]):
        raise ValueError(f"format={form} needs: pip install lta[export]")


def export(classifier: TrainedClassifier, form: str, path: Path, origin: Mapping[str, Any]) -> list[str]:
    """Writes the file, once it was found to give what the network gives; returns what is to be said of it.

    `classifier` is one of `lta.load`. The file says of itself, as JSON: what `origin` holds, the version of lta, the names
    of the classes, whether a picture has one class or several labels, the picture size as (height, width), whether larger
    ones are taken, the levels, and what their maps were taught by. A file that is there is replaced, whole. Raises
    ValueError where the network can't be exported, or the file would differ (TOLERANCE).
    """
    height, width = classifier.hparams["image_size"]
    size = (height, width)
    several = gives_several_labels(classifier)
    model = Exportable(classifier.preprocess, classifier.network, several)
    if form == "onnx" and 4 * sum(weights.numel() for weights in model.state_dict().values()) > LARGEST:
        raise ValueError("format=onnx allows at most 2 GiB, but this network is larger; choose format=torch_export")
    with torch.no_grad():
        example = model(next(check.make_images(size, any_size=False)))
    if not all(values.isfinite().all() for values in example.values()):
        raise ValueError("this network gives values that are not finite, so its training has diverged: nothing was exported")
    with _raise_in_one_line("torch.export can't trace this network"):
        traced = trace(model, size)
    outputs = list(example)
    facts = {
        **origin,
        "lta": lta.__version__,
        "class_names": list(classifier.class_names),
        "labels": "several labels" if several else "one class",
        "image_size": list(size),
        "larger": traced.any_size,
        "levels": [name.removeprefix("map_") for name in outputs if name.startswith("map_")],
        "taught_by": name_teachers(classifier.hparams.get("taught_by")),
        "cells": {level: cells._asdict() for level, cells in find_cells(classifier.network, size).items()},
    }
    with _raise_in_one_line(f"format={form}: torch can't write this network"):
        content = to_onnx(traced, outputs, facts) if form == "onnx" else to_torch_export(traced, facts)
    checked = _check_file(form, content, model, list(check.make_images(size, traced.any_size)))
    try:
        with replace_file(path) as file:
            file.write(content)
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror or error}") from error
    sizes = f"at any size from {width} x {height}" if traced.any_size else f"all of {width} x {height} pixels"
    return [
        f"{path} ({len(content) / 1e6:.1f} MB) takes images: uint8 (batch, 3, height, width), as many as you like, {sizes}",
        f"gives {', '.join(outputs)}: float32",
        checked,
    ]


def trace(model: nn.Module, size: tuple[int, int]) -> Traced:
    """The program of a copy, with as many of the pictures' axes free as can be, and without gradients.

    What torch.export takes for granted of free sizes and can't prove, the program asserts when it runs. The lines of source
    code that each step came from are taken out: they name folders of this machine.
    """
    # Contiguous: torch.export.save takes the weights of channels-last storage for parts of larger ones.
    model = copy.deepcopy(model).to(memory_format=torch.contiguous_format).requires_grad_(False)
    example = torch.zeros(2, 3, *size, dtype=torch.uint8)
    axes = {0: Dim("batch", min=1), 2: Dim("height", min=size[0]), 3: Dim("width", min=size[1])}
    if any(getattr(module, "one_size", False) for module in model.modules()):
        axes = {0: axes[0]}
    with torch.no_grad(), _VectorsAsColumns():
        try:
            program = torch.export.export(
                model, (example,), dynamic_shapes=(axes,), prefer_deferred_runtime_asserts_over_guards=True
            )
        except UserError:  # the size is a constant somewhere
            axes = {0: axes[0]}
            program = torch.export.export(model, (example,), dynamic_shapes=(axes,))
    for part in program.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)
    return Traced(program, axes)


class _VectorsAsColumns(TorchFunctionMode):
    """Multiplies by a vector as by a matrix of one column: the same numbers. ONNX Runtime (seen in 1.32) fuses a
    transposition with the product after it, and where that is by a vector, as in `pc`, its result is wrong."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function in (torch.matmul, Tensor.matmul, Tensor.__matmul__) and args[0].ndim > 1 and args[1].ndim == 1:
            return (args[0] @ args[1].unsqueeze(1)).squeeze(-1)
        return function(*args, **(kwargs or {}))


def to_onnx(traced: Traced, outputs: Sequence[str], facts: Mapping[str, Any]) -> bytes:
    """The traced network as bytes of an ONNX file; `facts` become its metadata."""
    import onnx

    written = torch.onnx.export(
        traced.program,
        dynamo=True,
        verbose=False,
        input_names=["images"],
        output_names=list(outputs),
        dynamic_shapes=(traced.axes,),
    )
    assert written is not None, "it is a program, for no file"
    model = written.model_proto
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer, *graph.value_info):
        part.ClearField("metadata_props")  # torch's notes on where each step came from
        part.ClearField("doc_string")
    onnx.helper.set_model_props(model, {ABOUT: json.dumps(facts)})
    return model.SerializeToString()


def to_torch_export(traced: Traced, facts: Mapping[str, Any]) -> bytes:
    """The traced network as bytes of a torch.export file; `facts` become an extra file in it."""
    content = io.BytesIO()
    torch.export.save(traced.program, content, extra_files={ABOUT: json.dumps(facts)})
    return content.getvalue()


def _check_file(form: str, content: bytes, model: Exportable, batches: Sequence[Tensor]) -> str:
    """Runs the file beside the network, and says how far apart they are.

    Raises ValueError where that is more than TOLERANCE, and more than ten times the rounding that the network itself has in
    float32: sharp softmaxes of large scores lose that much between any two machines.
    """
    if form == "onnx" and find_spec("onnxruntime") is None:
        return "not checked against the network, which needs: pip install onnxruntime"
    with _raise_in_one_line(f"format={form}: the file that was made does not run"):
        run = (check.load_with_onnxruntime if form == "onnx" else check.load_with_torch)(content)
        by_output = check.measure_differences(run, model, batches)
    limits = dict.fromkeys(by_output, TOLERANCE)
    if not all(apart <= TOLERANCE for apart in by_output.values()):
        network = copy.deepcopy(model.network).double()
        precise = Exportable(model.preprocess, lambda seen: network(seen.double()), model.several_labels)
        rounding = check.measure_differences(model, precise, batches)
        limits = {name: max(TOLERANCE, 10 * rounding[name]) for name in by_output}
    for name, limit in limits.items():
        if not by_output[name] <= limit:  # which NaN is not either
            raise ValueError(
                f"format={form}: the exported file does not compute what the network does: {name} differs by "
                f"{by_output[name]:.1g} of its largest value, but at most {limit:.1g} is allowed; no file was written"
            )
    said = f"checked in {'onnxruntime' if form == 'onnx' else 'torch'} on {sum(len(images) for images in batches)} pictures"
    return f"{said}: off by at most {max(by_output.values()):.1g} of an output's largest value"


@contextmanager
def _raise_in_one_line(said: str) -> Iterator[None]:
    """What a library raises becomes a ValueError; what it logs is about its own work, and is not shown."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    except Exception as error:
        cause = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        raise ValueError(f"{said}: {(str(cause).strip() or type(cause).__name__).splitlines()[0]}") from error
    finally:
        logging.disable(disabled)
