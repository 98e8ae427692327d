"""What lta.apply makes of photographs, as docs/guide/apply.md shows it: python docs/effects_pictures.py RUN docs/effects.jpg

All photographs of the demo's gallery in its order, none left out, with the default settings of lta.apply. RUN is
the network of docs/taught_pictures.py.
"""

import sys

import numpy as np
import torch
from PIL import Image, ImageOps

from lta.apply.direct import DEFAULTS
from lta.apply.sources import from_network
from lta.demo.examples import list_examples
from lta.effects.autoblur import autoblur
from lta.effects.blurout import blurout
from lta.effects.heatmap import heatmap
from lta.effects.light import spotlight
from lta.pictures.read import read_image
from lta.viz.sheet import Tile, sheet

EFFECTS = {"attention": heatmap, "autoblur": autoblur, "blurout": blurout, "spotlight": spotlight}
SIDE = 150


def tile(pixels, text=""):
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    return Tile(np.array(ImageOps.pad(picture, (SIDE, SIDE), Image.Resampling.LANCZOS, color="white")), text)


def main(run, out):
    source, rows = from_network(run, "last", torch.device("cpu"), DEFAULTS), []
    for example, file in list_examples():
        picture = read_image(file)
        mask = source.attend(picture).mask
        rows.append([tile(picture.rgb, example.name)])
        rows[-1] += [tile(effect(picture.rgb, mask)) for effect in EFFECTS.values()]
    sheet(rows, ["", *EFFECTS], tile=SIDE).save(out, quality=85)


if __name__ == "__main__":
    main(*sys.argv[1:])
