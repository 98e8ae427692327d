"""Drawings of maps: overlays, sheets of examples, charts. NumPy, Pillow and matplotlib.

A function that has the name of its module takes its place here: `lta.viz.panel` is the function.
"""

from lta.viz.colour import normalise_map, overlay
from lta.viz.curves import Chart, Line, charts
from lta.viz.outline import draw_outline
from lta.viz.panel import Example, panel
from lta.viz.sheet import Tile, sheet

__all__ = ["Chart", "Example", "Line", "Tile", "charts", "draw_outline", "normalise_map", "overlay", "panel", "sheet"]
