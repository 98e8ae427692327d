"""What folders of pictures with masks and folders of pictures with boxes have in common."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lta import checks
from lta.data.contents import VERIFY, Contents
from lta.data.errors import DataError
from lta.data.evaluation_data import FolderToLookAt
from lta.data.image_cache import read_images
from lta.data.image_folder import parse_image_size
from lta.data.masked_pictures import FITS, join_names
from lta.runtime.cache import Cache

log = logging.getLogger(__name__)


class MarkedFolder(FolderToLookAt):
    """Pictures whose objects are marked.

    `image_size`: a number or [height, width]. `fit`: "crop" scales the shortest side to it and cuts out the centre, "squash"
    gives up the proportions; marks go with their picture. `on_empty`, "error" or "skip": what to do with pictures of whose
    marks that leaves nothing. `verify`: when files are read again, see `digest_files`.
    """

    def __init__(
        self,
        root: str | None,
        image_size: int | Sequence[int] | None,
        fit: str,
        class_column: str | None,
        class_name: str,
        on_empty: str,
        verify: str,
        cache: Cache,
        eval_batch_size: int,
        seed: int,
    ):
        super().__init__(root, eval_batch_size, seed)
        self.size = parse_image_size(image_size)
        checks.require_choice("data.fit", fit, FITS)
        checks.require_choice("data.on_empty", on_empty, ("error", "skip"))
        checks.require_choice("data.verify", verify, VERIFY)
        self.fit, self.on_empty, self.cache, self.verify = fit, on_empty, cache, verify
        self.class_column, self.class_name = class_column, str(class_name)

    def _say_what_is_lost(self, root: Path, names: Sequence[str], marked: np.ndarray, what: str, ways_on: str) -> None:
        """One line on those of `names` that are not `marked` any more, bool (names,), in their part of the picture.

        Raises DataError instead where `on_empty` is "error" or nothing would be left.
        """
        if marked.all():
            return
        lost = [names[number] for number in np.flatnonzero(~marked).tolist()]
        cut = f"once cut to {self.size[0]}x{self.size[1]} (data.fit={self.fit})"
        said = f"{root}: {len(lost)} of {len(marked)} {what} {cut}: {join_names(lost)}"
        if self.on_empty == "error" or not marked.any():
            raise DataError(f"{said}; choose {ways_on}")
        log.info("%s; left out", said)

    def _read_parts(self, root: Path, names: Sequence[str], parts: np.ndarray, contents: Contents) -> np.ndarray:
        """uint8 (names, height, width, 3): of each file its part, a row (left, top, width, height) of `parts`."""
        boxes = parts.astype(np.float64)
        ways_on = "repair them or take them out"
        return read_images(root, names, self.size, self.cache, boxes=boxes, ways_on=ways_on, contents=contents).images
