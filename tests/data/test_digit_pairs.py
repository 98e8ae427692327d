"""Two whole digits, known apart."""

import numpy as np
import pytest

from lta.data.digit_pairs import DigitPairs, make_pairs
from lta.data.digit_scenes import digits


def test_both_objects_are_whole_and_of_different_classes():
    pairs = make_pairs(200)
    assert (pairs.labels != pairs.side_labels).all()
    assert (digits().labels[pairs.sources] == pairs.labels).all()
    assert set(pairs.sources) <= set(digits().members["test"])
    area = [(pairs.roles == role).mean((1, 2)) for role in (1, 2)]
    assert min(values.min() for values in area) > 0.02
    assert abs(area[0].mean() - area[1].mean()) < 0.005, "nothing but its label tells the labelled one"
    rows = np.array([[np.argwhere(roles == role).mean(0) for role in (1, 2)] for roles in pairs.roles])
    apart = np.abs(rows[:, 0] - rows[:, 1]).max(1)
    assert apart.min() > 8, "each has a half of its own"


def test_which_one_is_labelled_is_chance():
    pairs = make_pairs(400)
    place = np.array([np.argwhere(roles == 2).mean(0) - np.argwhere(roles == 1).mean(0) for roles in pairs.roles])
    across = np.abs(place).argmax(1)
    for axis in (0, 1):
        first = (place[across == axis, axis] < 0).mean()
        assert 0.4 < first < 0.6
    assert 0.4 < across.mean() < 0.6


def test_the_same_arguments_give_the_same_pictures():
    one, again, other = make_pairs(3), make_pairs(3), make_pairs(3, seed=1)
    assert (one.images == again.images).all()
    assert (one.images != other.images).any()


def test_as_a_data_module():
    data = DigitPairs(test_size=20)
    data.prepare_data()
    data.setup()
    assert data.image_size == (32, 32)
    assert len(data.train.labels) == 0
    assert data.test.take(np.arange(3)).side_labels.shape == (3,)
    assert set(data.singles.labels) == set(range(10))


def test_nothing_is_trained_on_them():
    data = DigitPairs(test_size=20)
    data.trainer = object()
    with pytest.raises(ValueError, match="data=digit_pairs has no training images, only some to look at: train on data="):
        data.prepare_data()
