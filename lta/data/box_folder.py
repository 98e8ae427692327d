"""box_folder: anybody's own pictures with boxes around their objects, to look at with a trained network."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lta import checks
from lta.data.batches import Split
from lta.data.boxed_pictures import check_inside, list_boxed_images, move_boxes
from lta.data.contents import VERIFY, digest_files, make_digest
from lta.data.errors import DataError
from lta.data.evaluation_data import FolderToLookAt
from lta.data.fingerprint import make_ids
from lta.data.image_cache import read_images
from lta.data.image_folder import parse_image_size
from lta.data.masked_pictures import FITS, compute_crop_boxes, join_names
from lta.runtime.cache import Cache, cache_folder

log = logging.getLogger(__name__)


class BoxFolder(FolderToLookAt):
    """`root/images/*` and `root/BOXES.csv`: see `list_boxed_images`. Boxes are in pixels of the upright picture: its left or
    upper edge is 0, its width or height the other one.

    `image_size`: a number or [height, width]. `fit`: "crop" scales the shortest side to it and cuts out the centre,
    "squash" gives up the proportions; boxes go with their picture and are cut at its edge. `on_empty`, "error" or "skip":
    what to do with pictures of whose boxes that leaves nothing. Classes are numbered by sorted name.
    """

    name = "box_folder"
    holds = "images/ and BOXES.csv"

    def __init__(
        self,
        root: str | None = None,
        image_size: int | Sequence[int] | None = None,
        fit: str = "crop",
        class_column: str | None = "class",
        class_name: str = "object",
        on_empty: str = "error",
        verify: str = "changed",
        cache: Cache = None,
        eval_batch_size: int = 500,
        seed: int = 0,
    ):
        super().__init__(root, eval_batch_size, seed)
        self.size = parse_image_size(image_size)
        checks.require_choice("data.fit", fit, FITS)
        checks.require_choice("data.on_empty", on_empty, ("error", "skip"))
        checks.require_choice("data.verify", verify, VERIFY)
        self.fit, self.on_empty, self.cache, self.verify = fit, on_empty, cache, verify
        self.class_column, self.class_name = class_column, str(class_name)

    def load_images_from(self, root: Path) -> tuple[tuple[str, ...], Split]:
        listing = list_boxed_images(root, self.class_column, self.class_name)
        whole = compute_crop_boxes(root, listing.images, self.size, "squash")
        check_inside(root, listing, [(int(width), int(height)) for _, _, width, height in whole])
        parts = whole if self.fit == "squash" else compute_crop_boxes(root, listing.images, self.size, self.fit)
        boxes, there = move_boxes(listing, parts, self.size)
        if not there.all():
            lost = [listing.images[number] for number in np.flatnonzero(~there)]
            cut = f"cut to {self.size[0]}x{self.size[1]} (data.fit={self.fit})"
            said = f"{root}: {len(lost)} of {len(there)} pictures have no box once {cut}: {join_names(lost)}"
            if self.on_empty == "error" or not there.any():
                raise DataError(f"{said}; choose data.fit=squash or data.on_empty=skip")
            log.info("%s; left out", said)
        contents = digest_files(root, listing.images, cache_folder(self.cache, "data.cache"), self.verify)
        images = read_images(
            root,
            listing.images,
            self.size,
            self.cache,
            boxes=parts.astype(np.float64),
            ways_on="repair them or take them out",
            contents=contents,
        ).images
        class_names, labels = np.unique(listing.classes, return_inverse=True)
        marked = [
            f"{name} {make_digest(box.tobytes()).hex()}" for name, box in zip(listing.images, listing.boxes, strict=True)
        ]
        split = Split(images, labels.astype(np.int64), ids=make_ids(marked, contents.tokens), boxes=boxes)
        return tuple(class_names.tolist()), split if there.all() else split.take(np.flatnonzero(there))
