"""digit_pairs: two whole digits of different classes side by side, each with its pixels and class known.

Made as digit_scenes are, from the same test digits and the test part of the same photographs, to ask a network that was
trained on digit_scenes which of two objects it looks at. Each digit is 15 or 16 pixels wide and high, wholly inside the
frame, one in the left half and one in the right, so that they don't meet; their heights are drawn apart. Which of the two
is the labelled one (role 2) and which the other (role 1, `side_labels`) is decided by chance, so that place tells nothing
of it. There are no fragments. There is nothing to train on: train is empty.

To give a pair the query of one digit alone there are `singles`: scenes of digit_scenes whose main digits are in no pair.
"""

import numpy as np

from lta import checks
from lta.data.batches import Split
from lta.data.digit_scenes import MAIN, SIDE, SIZE, cut_background, enlarge_digits, load_source_digits, make_scenes, paste
from lta.data.evaluation_data import EvaluationData
from lta.data.splits import stratified_split

PAIR_SIZES = (15, 17)  # from, up to but without
STREAM = 3
"""Of random numbers; 0 to 2 are those of digit_scenes."""


class DigitPairs(EvaluationData):
    """`test_size` pairs and `singles_size` scenes to take queries from; `pairs_seed` decides both. Raises DataError where
    a training run asks for them.
    """

    name = "digit_pairs"
    command = "evaluator=query data=digit_pairs"

    def __init__(
        self, test_size: int = 2000, singles_size: int = 1000, pairs_seed: int = 0, eval_batch_size: int = 500, seed: int = 0
    ):
        super().__init__(eval_batch_size, seed)
        checks.require_whole_number("data.test_size", test_size, least=1)
        checks.require_whole_number("data.singles_size", singles_size, least=1)
        checks.require_whole_number("data.pairs_seed", pairs_seed)
        self.test_size, self.singles_size, self.pairs_seed = test_size, singles_size, pairs_seed
        self.singles: Split | None = None

    def load_images(self) -> tuple[tuple[str, ...], Split]:
        """Makes pictures with two digits as test images, and those with one, whose queries are used (`singles`)."""
        self.singles = make_singles(self.singles_size, self.pairs_seed)
        return tuple(str(digit) for digit in range(10)), make_pairs(self.test_size, self.pairs_seed)


def make_pairs(size: int, seed: int = 0) -> Split:
    """`size` pairs: the same arguments give the same pairs. `sources` are the labelled digits'."""
    rng = np.random.default_rng((seed, STREAM))
    sources, labels = _split_test_digits()[0], load_source_digits().labels.astype(np.int64)
    mains = np.concatenate([rng.permutation(sources) for _ in range(-(-size // len(sources)))])[:size]
    others = np.array([rng.choice(sources[labels[sources] != labels[main]]) for main in mains])
    images, roles = np.empty((size, SIZE, SIZE, 3), np.uint8), np.zeros((size, SIZE, SIZE), np.uint8)
    for number, pair in enumerate(zip(mains, others, strict=True)):
        scene = cut_background(rng, "test")
        sides = list(zip(pair, (MAIN, SIDE), strict=True))
        if rng.random() < 0.5:
            sides.reverse()
        scales = rng.integers(*PAIR_SIZES, size=2)
        left = 0
        room = SIZE - int(scales.sum())  # columns that neither box needs
        for (source, role), scale in zip(sides, scales, strict=True):
            gap = int(rng.integers(room + 1))
            offset = np.array([rng.integers(SIZE - scale + 1), left + gap])
            paste(rng, scene, roles[number], enlarge_digits(int(scale))[source], offset, role)
            left, room = left + gap + int(scale), room - gap
        images[number] = np.clip(np.rint(scene), 0, 255)
    return Split(images, labels[mains], roles, mains.astype(np.int64), labels[others])


def make_singles(size: int, seed: int = 0) -> Split:
    """`size` scenes of digit_scenes, of the test digits that are in no pair."""
    return make_scenes("test", size, seed, _split_test_digits()[1])


def _split_test_digits() -> tuple[np.ndarray, np.ndarray]:
    """The test digits of pairs and those of singles."""
    digits = load_source_digits()
    test = digits.members["test"]
    pairs, singles = stratified_split(digits.labels[test], len(test) // 2, seed=0)
    return test[pairs], test[singles]
