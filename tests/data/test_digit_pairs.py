"""Pairs of digits: both whole, apart, of different classes, and from digits that are nowhere else."""

import numpy as np
import pytest

from lta.data import digit_pairs
from lta.data.digit_pairs import DigitPairs, make_pairs, make_singles
from lta.data.digit_scenes import MAIN, SIDE, load_source_digits, make_scenes


@pytest.fixture(scope="module")
def pairs():
    return make_pairs(600)


def test_same_arguments_same_pairs():
    one, same, other = make_pairs(20), make_pairs(20), make_pairs(20, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one.images, other.images)


def test_both_digits_are_whole_and_apart(monkeypatch):
    boxes = []
    original = digit_pairs.paste

    def record(rng, scene, roles, alpha, offset, role):
        boxes.append((role, *offset, *(offset + np.array(alpha.shape))))
        original(rng, scene, roles, alpha, offset, role)

    monkeypatch.setattr(digit_pairs, "paste", record)
    split = make_pairs(400)
    boxes = np.array(boxes).reshape(400, 2, 5)
    assert boxes[..., 1:].min() == 0
    assert boxes[..., 1:].max() == 32
    first, second = boxes[:, 0], boxes[:, 1]
    assert (first[:, 4] <= second[:, 2]).all()
    assert (first[:, 0] != second[:, 0]).all()
    assert 0.4 < (first[:, 0] == MAIN).mean() < 0.6  # by chance on the left
    assert abs(np.corrcoef(first[:, 1], second[:, 1])[0, 1]) < 0.15
    for role, number in ((MAIN, 0), (SIDE, 1)):
        drawn = (split.roles == role).sum((1, 2))
        assert drawn.min() > 15, number
    assert np.mean(split.roles == MAIN) == pytest.approx(np.mean(split.roles == SIDE), rel=0.05)


def test_classes_differ_and_are_those_of_the_digits(pairs):
    assert (pairs.labels != pairs.side_labels).all()
    assert np.array_equal(load_source_digits().labels[pairs.sources], pairs.labels)
    assert set(pairs.labels) == set(pairs.side_labels) == set(range(10))
    assert pairs.labels.dtype == pairs.side_labels.dtype == np.int64


def test_the_other_digit_is_of_the_class_that_is_said(monkeypatch):
    painted = []
    strokes = {scale: digit_pairs.enlarge_digits(scale) for scale in (15, 16)}
    monkeypatch.setattr(digit_pairs, "paste", lambda rng, scene, roles, alpha, offset, role: painted.append((role, alpha)))
    split = make_pairs(30)
    for number in range(30):
        for role, alpha in painted[2 * number : 2 * number + 2]:
            same = (strokes[len(alpha)] == alpha).all((1, 2))
            expected = split.labels if role == MAIN else split.side_labels
            assert set(load_source_digits().labels[same]) == {expected[number]}


def test_digits_come_from_the_test_part_and_no_single_shows_one_of_a_pair(pairs):
    singles = make_singles(400)
    members = load_source_digits().members
    assert set(pairs.sources) | set(singles.sources) <= set(members["test"])
    assert not set(pairs.sources) & set(singles.sources)
    assert set(singles.labels) == set(range(10))


def test_scenes_of_some_digits_alone():
    some = load_source_digits().members["val"][:7]
    assert set(make_scenes("val", 20, sources=some).sources) == set(some)


def test_data_module_is_for_looking_at_alone():
    data = DigitPairs(test_size=30, singles_size=20)
    data.prepare_data()
    data.setup()
    assert data.image_size == (32, 32)
    assert data.num_classes == 10
    assert data.train.images.shape == (0, 32, 32, 3)
    assert data.train.side_labels.shape == (0,)
    assert data.val is None
    assert len(data.test.labels) == 30
    assert len(data.singles.labels) == 20
    taken = data.test.take(np.array([3, 5]))
    assert np.array_equal(taken.side_labels, data.test.side_labels[[3, 5]])
    data.trainer = object()
    with pytest.raises(ValueError, match="data=digit_pairs is only for evaluation and has no training images"):
        data.prepare_data()


@pytest.mark.parametrize("options", [{"test_size": 0}, {"singles_size": 0}, {"pairs_seed": -1}])
def test_wrong_sizes_are_named(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"data.{name}="):
        DigitPairs(**options)
