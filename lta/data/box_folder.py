"""box_folder: anybody's own pictures with boxes around their objects, to look at with a trained network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lta.data.batches import Split
from lta.data.boxed_pictures import check_inside, list_boxed_images, move_boxes
from lta.data.contents import digest_files, make_digest
from lta.data.fingerprint import make_ids
from lta.data.marked_folder import MarkedFolder
from lta.data.masked_pictures import compute_crop_boxes
from lta.runtime.cache import Cache, cache_folder


class BoxFolder(MarkedFolder):
    """`root/images/*` and `root/BOXES.csv`: see `list_boxed_images`. Boxes are in pixels of the upright picture: its left or
    upper edge is 0, its width or height the other one.

    Boxes are cut at the edge of what is shown of their picture. Classes are numbered by sorted name.
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
        settings = (image_size, fit, class_column, class_name, on_empty, verify, cache)
        super().__init__(root, *settings, eval_batch_size, seed)

    def load_images_from(self, root: Path) -> tuple[tuple[str, ...], Split]:
        """Pictures and boxes below `root`, moved and scaled with their pictures. Raises DataError for a box outside its
        picture, and where nothing of one is left."""
        listing = list_boxed_images(root, self.class_column, self.class_name)
        whole = compute_crop_boxes(root, listing.images, self.size, "squash")
        check_inside(root, listing, [(int(width), int(height)) for _, _, width, height in whole])
        parts = whole if self.fit == "squash" else compute_crop_boxes(root, listing.images, self.size, self.fit)
        boxes, there = move_boxes(listing, parts, self.size)
        ways_on = "data.fit=squash or data.on_empty=skip"
        self._say_what_is_lost(root, listing.images, there, "pictures have no box", ways_on)
        contents = digest_files(root, listing.images, cache_folder(self.cache, "data.cache"), self.verify)
        images = self._read_parts(root, listing.images, parts, contents)
        class_names, labels = np.unique(listing.classes, return_inverse=True)
        marked = [
            f"{name} {make_digest(box.tobytes()).hex()}" for name, box in zip(listing.images, listing.boxes, strict=True)
        ]
        split = Split(images, labels.astype(np.int64), ids=make_ids(marked, contents.tokens), boxes=boxes)
        return tuple(class_names.tolist()), split if there.all() else split.take(np.flatnonzero(there))
