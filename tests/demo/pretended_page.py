"""What the page's parts work with: a network that nobody has trained, and pictures."""

from io import BytesIO

import numpy as np
import torch
from PIL import Image, ImageCms
from untrained_run import untrained_run

from lta.cli.plugins import CONF
from lta.demo.limits import Limits
from lta.demo.looking import Workshop
from lta.demo.networks import load_networks
from lta.instantiate import build, plain

ATTENTION = {
    "levels": ["A", "B", "C"],
    "combine": "product",
    "low": 0.5,
    "high": 0.95,
    "edges": 0.05,
    "feather": 0.0,
    "invert": False,
}
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
MOST = Limits(1_000_000, 400_000)


def effects(*overrides):
    import hydra

    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = hydra.compose("demo", ["checkpoint=none", *overrides])
    return {name: build(node) for name, node in plain(cfg.effect).items()}


def networks(folder, *compats):
    runs = [str(untrained_run(folder / compat, "model.init.scorer=author", f"compat={compat}")) for compat in compats]
    return load_networks(runs, "last", torch.device("cpu"))


def workshop(folder, *compats):
    return Workshop(networks(folder / "runs", *compats), effects(), [1], MOST, folder / "files")


def photograph(width=90, height=60, seed=0, mode="RGB", form="PNG"):
    """The bytes of a file: large spots of colour, with a colour profile."""
    cells = np.random.default_rng(seed).integers(0, 256, (4, 6, len(mode)), np.uint8)
    image = Image.fromarray(cells, mode).resize((width, height), Image.Resampling.BICUBIC)
    stream = BytesIO()
    image.save(stream, form, icc_profile=PROFILE)
    return stream.getvalue()
