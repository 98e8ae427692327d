"""Data sets that are only looked at: all images are in test."""

from abc import abstractmethod
from pathlib import Path

import numpy as np

from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.errors import DataError


class EvaluationData(ImageData):
    """Subclasses implement `pictures`. After setup `train` is empty, shape (0, height, width, 3), and `val` is None.

    `name` is that of its file in conf/data/, `command` what lta.evaluate is told to look at it. Raises DataError where a
    training run asks for it.
    """

    name: str
    command: str

    def __init__(self, eval_batch_size: int = 500, seed: int = 0):
        super().__init__(eval_batch_size=eval_batch_size, seed=seed)

    @abstractmethod
    def load_images(self) -> tuple[tuple[str, ...], Split]:
        """Class names and all images."""

    def prepare_data(self) -> None:
        """On one process a node: what is decoded here, the others find in the cache."""
        if self.trainer is not None:
            raise DataError(
                f"data={self.name} is only for evaluation and has no training images: train on another data set, then "
                f"python -m lta.evaluate checkpoint=RUN {self.command}"
            )
        self.setup()

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        """All images are test images."""
        class_names, test = self.load_images()
        return class_names, test.take(np.arange(0)), None, test


class FolderToLookAt(EvaluationData):
    """`root` is the folder that holds what `holds` says."""

    holds = "images/ and masks/"

    def __init__(self, root: str | None, eval_batch_size: int = 500, seed: int = 0):
        super().__init__(eval_batch_size, seed)
        self.root = Path(root).expanduser().absolute() if root else None

    @property
    def command(self) -> str:
        """What to add to `lta evaluate checkpoint=RUN`."""
        return f"evaluator=... data={self.name} data.root=FOLDER"

    @abstractmethod
    def load_images_from(self, root: Path) -> tuple[tuple[str, ...], Split]:
        """Class names and all images."""

    def load_images(self) -> tuple[tuple[str, ...], Split]:
        """Raises DataError where `root` is not given."""
        if self.root is None:
            raise DataError(f"data.root must be given: the folder that holds {self.holds}")
        return self.load_images_from(self.root)
