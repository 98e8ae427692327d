"""Attention at initialisation, before any training: effective positions by level, and a panel. at_start.py CIFAR_ROOT OUT"""

import json
import sys
from pathlib import Path

import torch

from lta.data.cifar import CIFAR
from lta.layers.compatibility import Parametrised
from lta.measures.map_statistics import effective_positions
from lta.models.vgg_family import vgg_attention
from lta.transforms.yuv_lcn import YuvLcn
from lta.viz.panel import Example, panel

IMAGES = 32
SEEDS = 5
STARTS = {
    "author": {"scorer": "author", "batchnorm": "uniform"},
    "author, gain 1": {"scorer": "author", "batchnorm": "one"},
    "zero scorer": {"scorer": "zero", "batchnorm": "uniform"},
}

root, out = sys.argv[1], Path(sys.argv[2])
data = CIFAR(root=root, download=False, val_size=0)
data.prepare_data()
split, chosen = data.examples(IMAGES)
pictures = split.take(chosen)
preprocess = YuvLcn()
preprocess.fit(data.train.images)
images = preprocess(torch.from_numpy(pictures.images).permute(0, 3, 1, 2))

found = []
for width, seeds in ((1.0, 1), (0.125, SEEDS)):
    for name, init in STARTS.items():
        by_level = {}
        for seed in range(seeds):
            torch.manual_seed(seed)
            network = vgg_attention(10, "ABC", Parametrised, width=width, dropout=0.0, init=init)
            with torch.no_grad():
                output = network.train()(images)  # batch statistics, as in the first step of training
            for level, attn in output.attn.items():
                by_level.setdefault(level, []).append((effective_positions(attn).mean(), attn.amax((1, 2)).mean()))
        for level, values in by_level.items():
            effective, largest = torch.tensor(values).mean(0).tolist()
            positions = output.attn[level][0].numel()
            row = {
                "width": width,
                "start": name,
                "level": level,
                "positions": positions,
                "seeds": seeds,
                "effective_positions": effective,
                "largest_weight": largest,
            }
            found.append(row)
            print(row)
        if name == "author" and width == 1.0:
            shown = range(0, IMAGES, 4)
            maps = [{level: attn[i].numpy() for level, attn in output.attn.items()} for i in shown]
            names = [data.class_names[pictures.labels[i]] for i in shown]
            pairs = zip(shown, maps, names, strict=True)
            examples = [Example(pictures.images[i], attn, name, "untrained", 0.0) for i, attn, name in pairs]
            panel(examples, "at initialisation, width 1, seed 0").save(out / "at_start.png")
(out / "at_start.json").write_text(json.dumps(found, indent=1) + "\n")
