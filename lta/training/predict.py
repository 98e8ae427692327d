"""What a trained network says of pictures in whatever form a notebook has them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lta import checks
from lta.data.decoding import describe_error, fit_to_size, open_rgb, to_upright_rgb
from lta.pictures.find import find_images
from lta.pictures.grey_range import Range, find_grey_range
from lta.pictures.read import Picture, read_image
from lta.protocols import TrainedClassifier

SHOWN = 8
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GIVE = "give a path, a PIL image, an array (H, W, 3), a tensor (3, H, W), or a list of these"


class Prediction(NamedTuple):
    """`labels` are the names of the likeliest classes, `indices` their positions in `class_names`; `maps` by level, as the
    network's `attn`: {} where it has none. Everything is on the CPU, one entry a picture, in the order given."""

    labels: list[str]
    indices: Int[Tensor, " pictures"]
    probabilities: Float[Tensor, "pictures classes"]
    maps: dict[str, Tensor]
    class_names: tuple[str, ...]

    def __repr__(self) -> str:
        count = len(self.labels)
        likeliest = self.probabilities[:SHOWN].amax(1).tolist()
        shown = ", ".join(f"{label} {share:.2f}" for label, share in zip(self.labels, likeliest, strict=False))
        more = f" and {count - SHOWN} more" if count > SHOWN else ""
        sizes = ", ".join(f"{level} {attn.shape[1]}x{attn.shape[2]}" for level, attn in self.maps.items())
        return f"Prediction of {count} picture{'s' * (count > 1)}: {shown}{more}; maps {sizes or 'none'}"


def predict(classifier: TrainedClassifier, images: Any, size: tuple[int, int], batch_size: int = 64) -> Prediction:
    """See `lta.training.classifier.Classifier.predict`; `size` is the (height, width) that the network takes."""
    checks.require_whole_number("batch_size", batch_size, least=1)
    grey_range = find_grey_range(classifier.hparams)
    pictures = [
        pixels for number, given in enumerate(_as_list(images)) for pixels in _pixels(given, size, number, grey_range)
    ]
    if not pictures:
        raise ValueError(f"there is no picture to predict: an empty list was given; {GIVE}")
    device = next(classifier.parameters()).device
    probabilities, maps = [], []
    with _switch_to_eval(classifier), torch.inference_mode():
        for start in range(0, len(pictures), batch_size):
            output = classifier(torch.stack(pictures[start : start + batch_size]).to(device))
            probabilities.append(output.logits.float().softmax(1).cpu())
            maps.append({level: attn.float().cpu() for level, attn in output.attn.items()})
    # Joined outside: these are copies like any other tensor, which may be changed and take part in training.
    joined = torch.cat(probabilities)
    indices = joined.argmax(1)
    names = tuple(str(name) for name in classifier.class_names)
    by_level = {level: torch.cat([one[level] for one in maps]) for level in maps[0]}
    return Prediction([names[index] for index in indices.tolist()], indices, joined, by_level, names)


@contextmanager
def _switch_to_eval(classifier: TrainedClassifier) -> Iterator[None]:
    """In eval mode; afterwards each part is as it was, also those whose mode was not the whole's."""
    training = [module for module in classifier.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _as_list(images: Any) -> Sequence[Any]:
    """Several, or one as several. A `Picture` is a tuple, but one picture."""
    single = isinstance(images, (str, bytes, Picture)) or not isinstance(images, Sequence)
    return [images] if single else images


def _pixels(
    given: Any, size: tuple[int, int], number: int, grey_range: Range | None = None
) -> list[UInt8[Tensor, "3 height width"]]:
    if isinstance(given, (str, Path)):
        return [_read_file(path, size, grey_range) for path in find_images([given])]
    if isinstance(given, Picture):
        given = given.on_white.permute(1, 2, 0).numpy()
    if isinstance(given, Image.Image):
        try:
            return [_tensor(fit_to_size(to_upright_rgb(given, grey_range), size))]
        except Exception as error:  # one that was opened from a file is decoded only now
            raise ValueError(f"picture {number}, a PIL image, can't be used: {describe_error(error)}") from error
    if isinstance(given, Tensor):
        pictures = _convert_tensor(given, number)
    elif isinstance(given, np.ndarray):
        pictures = _convert_array(given, number)
    else:
        raise ValueError(f"picture {number} is of the type {type(given).__name__}; {GIVE}")
    return [_fit_array(one, size) for one in pictures]


def _read_file(path: Path, size: tuple[int, int], grey_range: Range | None) -> UInt8[Tensor, "3 height width"]:
    """As data=image_folder decodes it; formats that it does not know, as lta.pictures reads them."""
    try:
        return _tensor(fit_to_size(open_rgb(path, size, grey_range), size))
    except UnidentifiedImageError:
        return _pixels(read_image(path, grey_range=grey_range), size, 0)[0]
    except Exception as error:  # Pillow's readers raise anything from SyntaxError to struct.error
        raise ValueError(f"{path} can't be read: {describe_error(error)}") from error


def _convert_array(array: np.ndarray, number: int) -> UInt8[np.ndarray, "pictures height width channels"]:
    said = f"picture {number}, an array of the shape {array.shape},"
    if array.ndim == 2:
        return _convert_to_uint8(array[None, ..., None], said)
    if array.ndim not in (3, 4) or array.shape[-1] not in MODES:
        raise ValueError(f"{said} is no picture: arrays are (H, W) or (H, W, C), several (N, H, W, C), C = 1, 3 or 4")
    if array.shape[-3] in MODES:  # (3, 32, 3): nobody's picture has three rows
        raise ValueError(f"{said} could have its channels first or last: give a PIL image or a tensor (3, H, W)")
    return _convert_to_uint8(array[None] if array.ndim == 3 else array, said)


def _convert_tensor(tensor: Tensor, number: int) -> UInt8[np.ndarray, "pictures height width channels"]:
    said = f"picture {number}, a tensor of the shape {tuple(tensor.shape)},"
    if tensor.ndim not in (3, 4) or tensor.shape[-3] != 3:
        raise ValueError(f"{said} is no picture: tensors are (3, H, W), several (N, 3, H, W)")
    if tensor.shape[-1] in MODES:
        raise ValueError(f"{said} could have its channels first or last: give a PIL image or an array (H, W, 3)")
    tensor = tensor.detach().cpu()
    tensor = tensor.float() if tensor.is_floating_point() else tensor  # numpy has no bfloat16
    array = tensor.numpy() if tensor.ndim == 4 else tensor[None].numpy()
    return _convert_to_uint8(array.transpose(0, 2, 3, 1), said)


def _convert_to_uint8(array: np.ndarray, said: str) -> UInt8[np.ndarray, "pictures height width channels"]:
    if 0 in array.shape:
        raise ValueError(f"{said} is empty: nothing is there to predict")
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"{said} is of {array.dtype}; give uint8 (0 to 255) or floats from 0 to 1")
    low, high = array.min(), array.max()
    if not (low >= 0 and high <= 1):  # NaN is neither
        found = "NaN" if np.isnan(low) else f"values from {low:g} to {high:g}"
        raise ValueError(f"{said} holds {found}: floats must lie from 0 to 1; bytes from 0 to 255 are given as uint8")
    return np.rint(array * array.dtype.type(255)).astype(np.uint8)


def _fit_array(array: UInt8[np.ndarray, "height width channels"], size: tuple[int, int]) -> UInt8[Tensor, "3 rows columns"]:
    if array.shape == (*size, 3):
        return torch.from_numpy(array.copy()).permute(2, 0, 1)
    pixels = np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array)
    return _tensor(fit_to_size(to_upright_rgb(Image.fromarray(pixels, MODES[array.shape[-1]])), size))


def _tensor(image: Image.Image) -> UInt8[Tensor, "3 height width"]:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
