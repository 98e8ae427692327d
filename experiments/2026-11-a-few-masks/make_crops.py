"""Crops of photographs with an object's mask: classes "horse" and "none" to train on, whole photographs to judge by.

    python make_crops.py weizmann_horse OUT

Of every second photograph (0, 2, ...) up to four crops that the horse covers by 20 to 80 %, and four without it. Masks of
the first go below OUT/crops/masks. The other photographs and masks go to OUT/others, as data=mask_folder reads them.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from lta.data.masked_pictures import list_masked_images, open_fitting_mask

EACH, TRIES = 4, 400


def main(folder: Path, out: Path) -> None:
    rng = np.random.default_rng(0)
    listing = list_masked_images(folder, "mask", None, "horse")
    for place in ("crops/horse", "crops/none", "crops/masks/horse", "others/images", "others/masks"):
        (out / place).mkdir(parents=True, exist_ok=True)
    for number, (image, mask) in enumerate(zip(listing.images, listing.masks, strict=True)):
        picture = Image.open(folder / image).convert("RGB")
        drawn = open_fitting_mask(folder, image, mask, None)
        if number % 2:
            picture.save(out / f"others/images/{number}.png")
            drawn.save(out / f"others/masks/{number}.png")
            continue
        inside, found = np.asarray(drawn) > 0, {"horse": 0, "none": 0}
        width, height = picture.size
        for attempt in range(TRIES):
            side = int(min(width, height) * rng.uniform(0.3, 1.0))
            left, top = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
            covered = inside[top : top + side, left : left + side].mean()
            kind = "horse" if 0.2 < covered < 0.8 else "none" if covered < 0.01 else None
            if kind is None or found[kind] >= EACH:
                continue
            found[kind] += 1
            box = (left, top, left + side, top + side)
            picture.crop(box).save(out / f"crops/{kind}/{number}_{attempt}.png")
            if kind == "horse":
                drawn.crop(box).save(out / f"crops/masks/horse/{number}_{attempt}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
