"""What preprocessing takes: seconds to fit, from a cold and from a warm cache, and to transform 60,000 images of 32x32.

    python benchmarks/preprocess.py [--images 50000] [--batch 500]

Fits to 50,000 images and transforms those and 10,000 more, in evaluation batches: CIFAR-10's where LTA_DATA_ROOT names
the folder that it is in (reading it is not counted), else made-up ones, which take as long. A run never transforms all
at once, but batch by batch on its device. The bars hold for two CPU cores, fit from a cold cache and transform together.
"""

import argparse
import os
import platform
import tempfile
import time

import numpy as np
import torch

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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    name, images = pictures(options.images)
    train = images[: options.images]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}, {name}")

    def transform(module):
        with torch.inference_mode():
            for start in range(0, len(images), options.batch):
                module(torch.from_numpy(images[start : start + options.batch]).permute(0, 3, 1, 2))

    with tempfile.TemporaryDirectory() as cache:
        modules = {
            "standardize": lambda: Standardize(),
            "yuv_lcn": lambda: YuvLcn(cache),
            "gcn_zca": lambda: GcnZca(cache=cache),
        }
        for name, build in modules.items():
            module = build()
            cold = seconds(lambda module=module: module.fit(train))
            warm = seconds(lambda build=build: build().fit(train))
            transformed = seconds(lambda module=module: transform(module))
            bar = f"   cold + transform {cold + transformed:6.1f} s, bar {BARS[name]} s" if name in BARS else ""
            print(f"{name:11}  fit cold {cold:6.2f} s  warm {warm:6.2f} s  transform {transformed:6.2f} s{bar}")


if __name__ == "__main__":
    main()
