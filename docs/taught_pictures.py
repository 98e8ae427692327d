"""What a network that a few masks taught makes of photographs: python docs/taught_pictures.py NETWORK OF docs/taught.webp

All photographs of the demo's gallery in its order, none left out, with lta.apply's settings as they are. NETWORK is
what lta.teach wrote; OF says in a word or two what its masks showed. The pictures of the project are of `lta teach
seed=0` with the first ten of the 164 Weizmann horses in the order of `numpy.random.default_rng(0).permutation(164)`; no
horse's photograph is shown.
"""

import sys

import numpy as np
import torch
from PIL import Image, ImageOps

from lta.apply.direct import mask_of
from lta.demo.examples import list_examples
from lta.effects.autoblur import autoblur
from lta.effects.heatmap import heatmap
from lta.inference.checkpoint import load
from lta.pictures.read import read_image
from lta.runtime.teachers import name_teachers
from lta.viz.sheet import Tile, sheet

EFFECTS = {"map": heatmap, "autoblur": autoblur}
SIDE = 150


def tile(pixels, text=""):
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    return Tile(np.array(ImageOps.pad(picture, (SIDE, SIDE), Image.Resampling.LANCZOS, color="white")), text)


def main(run, of, out):
    network, rows = load(run), []
    taught = f"taught by {name_teachers(network.hparams['taught_by'])} of {of}"
    for example, file in list_examples():
        picture = read_image(file)
        mask = torch.from_numpy(mask_of(file, network))
        shown = {name: effect(picture.rgb, mask) for name, effect in EFFECTS.items()}
        rows.append([tile(picture.rgb, example.name), tile(shown["map"], taught), tile(shown["autoblur"])])
    sheet(rows, ["", *EFFECTS], tile=SIDE).save(out, quality=85, method=6)


if __name__ == "__main__":
    main(*sys.argv[1:])
