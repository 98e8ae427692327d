"""An exported file run beside the network that it was made of."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

Run = Callable[[UInt8[Tensor, "batch 3 height width"]], Mapping[str, Tensor]]


def load_with_onnxruntime(content: bytes) -> Run:
    """A function that runs the ONNX file: pictures to outputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(images):
        values = session.run(names, {"images": images.numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(names, values, strict=True)}

    return run


def load_with_torch(content: bytes) -> Run:
    """A function that runs the torch.export file: pictures to outputs by name."""
    return torch.export.load(io.BytesIO(content)).module()


def make_images(size: tuple[int, int], any_size: bool) -> Iterator[UInt8[Tensor, "batch 3 height width"]]:
    """Batches of noise, blots and grey; of several sizes where these are free. Always the same ones."""
    height, width = size
    random = torch.Generator().manual_seed(0)
    larger = [(2, height + 1, width + 6), (1, height + 3, 2 * width)]
    for count, rows, columns in [(3, height, width), (1, height, width), *(larger if any_size else ())]:
        noise = torch.randint(0, 256, (3, rows, columns), generator=random, dtype=torch.uint8)
        blots = nn.functional.interpolate(255 * torch.rand(1, 3, 4, 4, generator=random), (rows, columns), mode="bilinear")
        yield torch.stack([noise, blots[0].to(torch.uint8), torch.full_like(noise, 128)])[:count]


@torch.no_grad()
def measure_differences(one: Run, other: Run, batches: Sequence[Tensor]) -> dict[str, float]:
    """By output: the largest difference in any picture, as a share of the largest value that `other` has there.

    Infinite where the shapes differ, NaN where a value is.
    """
    shares: dict[str, list[Tensor]] = {}
    for images in batches:
        given = one(images)
        for name, true in other(images).items():
            share = torch.tensor(torch.inf, dtype=torch.float64)
            if given[name].shape == true.shape:
                apart, most = (x.abs().flatten(1).amax(1) for x in (given[name].double() - true.double(), true.double()))
                share = (apart / most.clamp(min=1e-30)).max()
            shares.setdefault(name, []).append(share)
    return {name: torch.stack(each).max().item() for name, each in shares.items()}
