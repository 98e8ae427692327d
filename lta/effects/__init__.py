"""What attention, or a mask, does to a picture: functions of the picture (uint8, 3 x height x width) and a map from 0 to 1.

Plain PyTorch. Each function has the name of its module, and takes its place here: `lta.effects.crop` is the function.
"""

from lta.effects.autoblur import autoblur
from lta.effects.blurout import blurout
from lta.effects.crop import crop
from lta.effects.cutout import cutout
from lta.effects.heatmap import heatmap
from lta.effects.lens import defocus
from lta.effects.light import desaturate, spotlight

__all__ = ["autoblur", "blurout", "crop", "cutout", "defocus", "desaturate", "heatmap", "spotlight"]
