"""mask_folder: anybody's own pictures with a mask of the object in each, to look at with a trained network."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lta import checks
from lta.data.batches import Split
from lta.data.contents import VERIFY, digest_files
from lta.data.errors import DataError
from lta.data.evaluation_data import FolderToLookAt
from lta.data.fingerprint import make_ids
from lta.data.image_cache import read_images
from lta.data.image_folder import parse_image_size
from lta.data.masked_pictures import FITS, compute_crop_boxes, join_names, list_masked_images, read_masks
from lta.runtime.cache import Cache, cache_folder

log = logging.getLogger(__name__)


class MaskFolder(FolderToLookAt):
    """`root/images/*`, `root/masks/*`, `root/LABELS.csv`: see `list_pictures`, and `open_mask` for `threshold`.

    `image_size`: a number or [height, width]. `fit`: "crop" scales the shortest side to it and cuts out the centre,
    "squash" gives up the proportions; a mask is cut as its picture is. `roles` are 2 on the object, else 0. `on_empty`,
    "error" or "skip": what to do with objects of which that leaves nothing. Classes are numbered by sorted name.
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
        super().__init__(root, eval_batch_size, seed)
        self.size = parse_image_size(image_size)
        checks.require_choice("data.fit", fit, FITS)
        checks.require_choice("data.on_empty", on_empty, ("error", "skip"))
        if threshold is not None:
            checks.require_number("data.threshold", threshold, 0, 65535)
        checks.require_choice("data.verify", verify, VERIFY)
        self.fit, self.threshold, self.on_empty, self.cache, self.verify = fit, threshold, on_empty, cache, verify
        self.mask_column, self.class_column, self.class_name = mask_column, class_column, str(class_name)

    def load_images_from(self, root: Path) -> tuple[tuple[str, ...], Split]:
        listing = list_masked_images(root, self.mask_column, self.class_column, self.class_name)
        boxes = compute_crop_boxes(root, listing.images, self.size, self.fit)
        masks = read_masks(root, listing, self.size, boxes, self.threshold)
        there = masks.any((1, 2))
        if not there.all():
            lost = [listing.masks[number] for number in np.flatnonzero(~there)]
            cut = f"cut to {self.size[0]}x{self.size[1]} (data.fit={self.fit})"
            said = f"{root}: {len(lost)} of {len(listing.masks)} masks are empty once {cut}: {join_names(lost)}"
            if self.on_empty == "error" or not there.any():
                raise DataError(f"{said}; choose a larger data.image_size, another data.fit, or data.on_empty=skip")
            log.info("%s; left out", said)
        cache = cache_folder(self.cache, "data.cache")
        pictures, drawn = (digest_files(root, names, cache, self.verify) for names in (listing.images, listing.masks))
        images = read_images(
            root,
            listing.images,
            self.size,
            self.cache,
            boxes=boxes.astype(np.float64),
            ways_on="repair them or take them out",
            contents=pictures,
        ).images
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
