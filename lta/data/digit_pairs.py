"""digit_pairs: two whole digits of different classes in one scene, to ask whether attention follows its query."""

from functools import cached_property

import numpy as np

from lta import checks
from lta.data.base import ImageData
from lta.data.batches import Split
from lta.data.digit_scenes import MAIN, SIDE, SIZE, background, digits, enlarged, make_scenes, paste
from lta.data.errors import DataError

SCALE = SIZE // 2


class DigitPairs(ImageData):
    """Digits, backgrounds and colours as in the test part of `digit_scenes`; no fragments.

    The digits of 16x16 pixels lie beside each other or one above the other, one in each half of the picture, whole. One
    of them, by chance, is the labelled one (role 2), the other has `side_labels` (role 1). All images are in `test`:
    nothing is trained on them. `singles` are test scenes of digit_scenes.
    """

    def __init__(self, test_size: int = 2000, scenes_seed: int = 0, eval_batch_size: int = 500, seed: int = 0):
        super().__init__(eval_batch_size=eval_batch_size, seed=seed)
        checks.whole("data.test_size", test_size, least=2)
        checks.whole("data.scenes_seed", scenes_seed)
        self.test_size, self.scenes_seed = test_size, scenes_seed

    def prepare_data(self) -> None:
        if self.trainer is not None:
            raise DataError(
                "data=digit_pairs has no training images, only some to look at: train on data=digit_scenes, then "
                "python -m lta.evaluate checkpoint=RUN evaluator=query data=digit_pairs"
            )

    def load(self) -> tuple[tuple[str, ...], Split, Split | None, Split]:
        test = make_pairs(self.test_size, self.scenes_seed)
        return tuple(str(digit) for digit in range(10)), test.take(np.arange(0)), None, test

    @cached_property
    def singles(self) -> Split:
        """Scenes with one digit each, every class among them."""
        return make_scenes("test", 500, self.scenes_seed)


def make_pairs(size: int, seed: int = 0) -> Split:
    """`size` pairs: the same arguments give the same pictures."""
    rng = np.random.default_rng((seed, 3))
    known = digits()
    members = known.members["test"]
    images = np.empty((size, SIZE, SIZE, 3), np.uint8)
    roles = np.zeros((size, SIZE, SIZE), np.uint8)
    main, side = np.empty(size, np.int64), np.empty(size, np.int64)
    for number in range(size):
        main[number] = rng.choice(members)
        side[number] = rng.choice(members[known.labels[members] != known.labels[main[number]]])
        scene = background(rng, "test")
        across = int(rng.integers(2))  # beside each other, or one above the other
        order = rng.permutation(2)
        for half, (source, role) in zip(order, ((main[number], MAIN), (side[number], SIDE)), strict=True):
            offset = np.empty(2, int)
            offset[across] = half * SCALE
            offset[1 - across] = rng.integers(SIZE - SCALE + 1)
            paste(rng, scene, roles[number], enlarged(SCALE)[source], offset, role)
        images[number] = np.clip(np.rint(scene), 0, 255)
    return Split(images, known.labels[main].astype(np.int64), roles, main, known.labels[side].astype(np.int64))
