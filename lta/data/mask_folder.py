"""mask_folder: anybody's own pictures with a mask of the object in each, to look at with a trained network."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lta import checks
from lta.data.batches import Split
from lta.data.contents import digest_files
from lta.data.fingerprint import make_ids
from lta.data.marked_folder import MarkedFolder
from lta.data.masked_pictures import compute_crop_boxes, list_masked_images, read_masks
from lta.runtime.cache import Cache, cache_folder


class MaskFolder(MarkedFolder):
    """`root/images/*`, `root/masks/*`, `root/LABELS.csv`: see `list_pictures`, and `open_mask` for `threshold`.

    `roles` are 2 on the object, else 0. Classes are numbered by sorted name.
    """

    name = "mask_folder"

    def __init__(
        self,
        root: str | None = None,
        image_size: int | Sequence[int] | None = None,
        fit: str = "crop",
        mask_column: str = "mask",
        class_column: str | None = "class",
        class_name: str = "object",
        threshold: float | None = None,
        on_empty: str = "error",
        verify: str = "changed",
        cache: Cache = None,
        eval_batch_size: int = 500,
        seed: int = 0,
    ):
        settings = (image_size, fit, class_column, class_name, on_empty, verify, cache)
        super().__init__(root, *settings, eval_batch_size, seed)
        if threshold is not None:
            checks.require_number("data.threshold", threshold, 0, 65535)
        self.mask_column, self.threshold = mask_column, threshold

    def load_images_from(self, root: Path) -> tuple[tuple[str, ...], Split]:
        """Pictures and masks below `root`, cut and scaled alike. Raises DataError where nothing of an object is left."""
        listing = list_masked_images(root, self.mask_column, self.class_column, self.class_name)
        boxes = compute_crop_boxes(root, listing.images, self.size, self.fit)
        masks = read_masks(root, listing, self.size, boxes, self.threshold)
        there = np.any(masks, axis=(1, 2), keepdims=False)
        ways_on = "a larger data.image_size, another data.fit, or data.on_empty=skip"
        self._say_what_is_lost(root, listing.masks, there, "masks are empty", ways_on)
        cache = cache_folder(self.cache, "data.cache")
        pictures, drawn = (digest_files(root, names, cache, self.verify) for names in (listing.images, listing.masks))
        images = self._read_parts(root, listing.images, boxes, pictures)
        class_names, labels = np.unique(listing.classes, return_inverse=True)
        marked = [f"{name} {digest.hex()}" for name, digest in zip(listing.images, drawn.digests, strict=True)]
        whole = Split(
            images,
            labels.astype(np.int64),
            masks.astype(np.uint8) * 2,
            listing.sources,
            ids=make_ids(marked, pictures.tokens),
        )
        return tuple(class_names.tolist()), whole if there.all() else whole.take(np.flatnonzero(there))
