"""The same run with many seeds, by labels alone and by labels and masks, on features that are computed once.

    python train_seeds.py CROPS RUNS [--seeds 10] [--weight 3] [--masks 8]

CROPS is what make_crops.py wrote to OUT/crops. Each run is an `lta run` of its own, in RUNS/w0_seed0 and so on. A run
that is there already is left alone. Libraries are imported once, and each run is forked from there.
"""

import argparse
import os
import sys
from pathlib import Path

import pytorch_lightning  # noqa: F401 imported before the forks
import timm  # noqa: F401
import torch
import torchmetrics  # noqa: F401

from lta.cli.launch import launch
from lta.cli.own_data import add_saved_places
from lta.run.__main__ import run

SETTINGS = (
    *("model=backbone_att2", "compat=pc", "model.backbone.cache=true", "augment=flip", "recipe=transfer"),
    *("data=image_folder", "data.split=hash", "data.image_size=224", "logger=none", "default_evaluators=none"),
    *("callbacks.attention_maps=null", "callbacks.telemetry=null", "trainer=cpu"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crops", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--weight", type=float, default=3)
    parser.add_argument("--masks", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    taught = (f"loss.mask={options.weight:g}", f"loss.mask_count={options.masks}", "loss.mask_levels=[B]")
    shared = (*SETTINGS, f"data.root={options.crops}", f"data.cache={options.runs / 'cache'}")
    for seed in range(options.seeds):
        for name, given in (("w0", ()), (f"w{options.weight:g}", taught)):
            directory = options.runs / f"{name}_seed{seed}"
            if (directory / "results.json").exists():
                continue
            if os.fork() == 0:
                sys.argv = ["lta.run", *shared, *given, f"seed={seed}", f"hydra.run.dir={directory}"]
                launch(run, add_saved=add_saved_places)
                os._exit(0)
            _, status = os.wait()
            if status:
                sys.exit(f"{directory} failed")


if __name__ == "__main__":
    main()
