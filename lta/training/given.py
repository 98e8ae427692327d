"""Pictures in whatever form somebody gives them, made into what a network takes: each when it is needed, some ahead."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from lta.data.decoding import describe_error, fit_to_size, open_rgb, to_upright_rgb
from lta.pictures.find import find_images
from lta.pictures.grey_range import Range
from lta.pictures.read import Picture, read_image

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GIVE = "give a path, a PIL image, an array (H, W, 3), a tensor (3, H, W), or a list of these"
DECODERS = 8
"""Threads at most: Pillow decodes outside of Python's lock."""


class Given(NamedTuple):
    """`name` is that of the file, or "picture 3" for the fourth of all that were given. `load` makes the pixels that the
    network sees; it raises ValueError, in one line, where it can't."""

    name: str
    load: Callable[[], UInt8[Tensor, "3 height width"]]


def list_given(images: Any, size: tuple[int, int], grey_range: Range | None = None) -> list[Given]:
    """Every picture of `images`, which is what `Classifier.predict` takes; `size` is the (height, width) of the network.

    Raises ValueError, in one line, for what is no picture in a known form and where no files are found. Whether a file can
    be read is seen when it is loaded.
    """
    found: list[Given] = []
    for number, given in enumerate(_as_list(images)):
        if isinstance(given, (str, Path)):
            found += list_files(find_images([given], below=True), size, grey_range)
        else:
            loads = _list_loads(given, size, number, grey_range)
            found += [Given(f"picture {len(found) + place}", load) for place, load in enumerate(loads)]
    if not found:
        raise ValueError(f"there is no picture to predict: an empty list was given; {GIVE}")
    return found


def list_files(paths: Sequence[Path], size: tuple[int, int], grey_range: Range | None = None) -> list[Given]:
    """The same of files that were found."""
    return [Given(str(path), partial(_load_file, path, size, grey_range)) for path in paths]


def load_ahead(given: Sequence[Given], ahead: int) -> Iterator[UInt8[Tensor, "3 height width"] | ValueError]:
    """The pixels of each, in order, or the error that says why there are none. Threads load up to `ahead` of them before
    they are asked for."""
    workers = min(DECODERS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Tensor | ValueError]] = deque()
    try:
        for one in given:
            waiting.append(pool.submit(_try_to_load, one))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _try_to_load(one: Given) -> Tensor | ValueError:
    try:
        return one.load()
    except ValueError as error:
        return error


def read_fitted(path: Path, size: tuple[int, int], grey_range: Range | None = None) -> Image.Image:
    """A file at `size` (height, width), as data=image_folder shows it; formats that it does not know, as lta.pictures reads
    them. Raises ValueError in one line that names the file."""
    try:
        return fit_to_size(open_rgb(path, size, grey_range), size)
    except UnidentifiedImageError:
        pixels = read_image(path, grey_range=grey_range).on_white.permute(1, 2, 0).contiguous()
        return fit_to_size(Image.fromarray(pixels.numpy()), size)
    except Exception as error:  # Pillow's readers raise anything from SyntaxError to struct.error
        raise ValueError(f"{path} can't be read: {describe_error(error)}") from error


def _as_list(images: Any) -> Sequence[Any]:
    """Several, or one as several. A `Picture` is a tuple, but one picture."""
    single = isinstance(images, (str, bytes, Picture)) or not isinstance(images, Sequence)
    return [images] if single else images


def _list_loads(
    given: Any, size: tuple[int, int], number: int, grey_range: Range | None
) -> list[Callable[[], UInt8[Tensor, "3 height width"]]]:
    """Of what is no path; `number` is its place in the list that was given."""
    if isinstance(given, Picture):
        given = given.on_white.permute(1, 2, 0).numpy()
    if isinstance(given, Image.Image):
        return [partial(_load_image, given, size, number, grey_range)]
    if isinstance(given, Tensor):
        pictures = _convert_tensor(given, number)
    elif isinstance(given, np.ndarray):
        pictures = _convert_array(given, number)
    else:
        raise ValueError(f"picture {number} is of the type {type(given).__name__}; {GIVE}")
    return [partial(_fit_array, one, size) for one in pictures]


def _load_file(path: Path, size: tuple[int, int], grey_range: Range | None) -> UInt8[Tensor, "3 height width"]:
    return _tensor(read_fitted(path, size, grey_range))


def _load_image(
    image: Image.Image, size: tuple[int, int], number: int, grey_range: Range | None
) -> UInt8[Tensor, "3 height width"]:
    try:
        return _tensor(fit_to_size(to_upright_rgb(image, grey_range), size))
    except Exception as error:  # one that was opened from a file is decoded only now
        raise ValueError(f"picture {number}, a PIL image, can't be used: {describe_error(error)}") from error


def _convert_array(array: np.ndarray, number: int) -> UInt8[np.ndarray, "pictures height width channels"]:
    said = f"picture {number}, an array of the shape {array.shape},"
    if array.ndim == 2:
        return _convert_to_uint8(array[None, ..., None], said)
    if array.ndim not in (3, 4) or array.shape[-1] not in MODES:
        raise ValueError(f"{said} is not a picture: arrays are (H, W) or (H, W, C), several (N, H, W, C), C = 1, 3 or 4")
    if array.shape[-3] in MODES:  # (3, 32, 3): nobody's picture has three rows
        raise ValueError(f"{said} could have its channels first or last: give a PIL image or a tensor (3, H, W)")
    return _convert_to_uint8(array[None] if array.ndim == 3 else array, said)


def _convert_tensor(tensor: Tensor, number: int) -> UInt8[np.ndarray, "pictures height width channels"]:
    said = f"picture {number}, a tensor of the shape {tuple(tensor.shape)},"
    if tensor.ndim not in (3, 4) or tensor.shape[-3] != 3:
        raise ValueError(f"{said} is not a picture: tensors are (3, H, W), several (N, 3, H, W)")
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
        raise ValueError(f"{said} holds {found}: floats must be from 0 to 1; bytes from 0 to 255 are given as uint8")
    return np.rint(array * array.dtype.type(255)).astype(np.uint8)


def _fit_array(array: UInt8[np.ndarray, "height width channels"], size: tuple[int, int]) -> UInt8[Tensor, "3 rows columns"]:
    if array.shape == (*size, 3):
        return torch.from_numpy(array.copy()).permute(2, 0, 1)
    pixels = np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array)
    return _tensor(fit_to_size(to_upright_rgb(Image.fromarray(pixels, MODES[array.shape[-1]])), size))


def _tensor(image: Image.Image) -> UInt8[Tensor, "3 height width"]:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
