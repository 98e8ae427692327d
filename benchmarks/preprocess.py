"""What preprocessing takes: seconds to fit, from a cold and from a warm cache, and to transform 60,000 images of 32x32.

    python benchmarks/preprocess.py [--images 50000] [--batch 500]

Fits to 50,000 images and transforms those and 10,000 more, in evaluation batches: CIFAR-10's where LTA_DATA_ROOT names
the folder that it is in (reading it is not counted), else made-up ones, which take as long. A run never transforms all
at once, but batch by batch on its device. The bars hold for two CPU cores, fit from a cold cache and transform together.
"""

import os
import tempfile
import time

import numpy as np
import torch
from measuring import Results, arguments, run

from lta.transforms.gcn_zca import GcnZca
from lta.transforms.normalize import Standardize
from lta.transforms.yuv_lcn import YuvLcn

BARS = {"yuv_lcn": 60, "gcn_zca": 120}
"""Seconds."""


def pictures(count: int) -> tuple[str, np.ndarray]:
    """Training images, then a fifth as many others: uint8 (n, 32, 32, 3)."""
    if root := os.environ.get("LTA_DATA_ROOT"):
        from lta.data.cifar import CIFAR

        data = CIFAR(name="cifar10", root=root, val_size=0, download=False)
        data.prepare_data()
        data.setup()
        return "CIFAR-10", np.concatenate([data.train.images[:count], data.test.images[: count // 5]])
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count + count // 5, 8, 8, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    return "made-up pictures", coarse // 2 + rng.integers(0, 128, coarse.shape, np.uint8)


def seconds(function) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def main():
    parser = arguments(__doc__, repetitions=1)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    name, images = pictures(options.images)
    train = images[: options.images]
    results = Results(options, f"{name}, {options.images} to fit to")
    bars = BARS if options.images == 50_000 else {}

    def transform(module):
        with torch.inference_mode():
            for start in range(0, len(images), options.batch):
                module(torch.from_numpy(images[start : start + options.batch]).permute(0, 3, 1, 2))

    with tempfile.TemporaryDirectory() as cache:
        modules = {
            "standardize": lambda _: Standardize(),
            "yuv_lcn": lambda folder: YuvLcn(folder),
            "gcn_zca": lambda folder: GcnZca(cache=folder),
        }
        for name, build in modules.items():
            times: dict[str, list[float]] = {
                "fit, cold cache": [],
                "fit, warm cache": [],
                "transform": [],
                "cold fit + transform": [],
            }
            for repetition in range(options.repetitions):
                fresh = os.path.join(cache, f"{name}-{repetition}")
                module = build(fresh)
                times["fit, cold cache"].append(seconds(lambda module=module: module.fit(train)))
                times["fit, warm cache"].append(seconds(lambda build=build, fresh=fresh: build(fresh).fit(train)))
                times["transform"].append(seconds(lambda module=module: transform(module)))
                times["cold fit + transform"].append(times["fit, cold cache"][-1] + times["transform"][-1])
            for what, taken in times.items():
                at_most = bars.get(name) if what == "cold fit + transform" else None
                results.figure(f"{name}: {what}", taken, "s", at_most=at_most)
    results.save()


if __name__ == "__main__":
    run(main)
