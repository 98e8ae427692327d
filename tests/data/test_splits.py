import numpy as np
import pytest

from lta.data.splits import balanced_choice, stratified_split

UNEVEN = np.repeat([0, 1, 2, 3], [100, 50, 7, 3])


@pytest.mark.parametrize("held_out", [0, 1, 7, 16, 80, 159])
def test_counts_are_exact_and_nothing_is_lost_or_doubled(held_out):
    kept, held = stratified_split(UNEVEN, held_out, seed=0)
    assert len(held) == held_out
    assert sorted([*kept, *held]) == list(range(len(UNEVEN)))


def test_each_class_keeps_its_share_to_within_one_image():
    rng = np.random.default_rng(0)
    labels = rng.permutation(UNEVEN)
    _, held = stratified_split(labels, 40, seed=3)
    shares = np.bincount(labels, minlength=4) * 40 / len(labels)
    assert np.all(np.abs(np.bincount(labels[held], minlength=4) - shares) < 1)


def test_even_classes_are_cut_evenly():
    _, held = stratified_split(np.repeat(np.arange(10), 500), 500, seed=0)
    assert np.bincount(held // 500).tolist() == [50] * 10


def test_indices_are_sorted():
    kept, held = stratified_split(np.random.default_rng(1).permutation(UNEVEN), 33, seed=1)
    assert np.all(np.diff(kept) > 0)
    assert np.all(np.diff(held) > 0)


def test_the_seed_alone_decides_which_images():
    first, again, other = (stratified_split(UNEVEN, 40, seed)[1] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_images_of_a_class_are_drawn_and_not_taken_from_one_end():
    _, held = stratified_split(np.zeros(1000, int), 100, seed=0)
    assert 300 < held.mean() < 700
    assert np.diff(held).max() > 1


@pytest.mark.parametrize("held_out", [-1, 160, 1000])
def test_an_impossible_count_is_refused_in_one_line(held_out):
    with pytest.raises(ValueError, match=f"{held_out} must be between 0 and 159") as error:
        stratified_split(UNEVEN, held_out, seed=0)
    assert "\n" not in str(error.value)


def test_balanced_choice():
    labels = np.array([2, 0, 0, 0, 2, 1, 0])
    assert balanced_choice(labels, 3).tolist() == [1, 5, 0]  # the first of class 0, 1, 2
    assert balanced_choice(labels, 5).tolist() == [1, 2, 5, 0, 4]  # then their second; class 1 has none
    assert balanced_choice(labels, 6).tolist() == [1, 2, 3, 5, 0, 4]
    assert sorted(balanced_choice(labels, 99)) == list(range(7))
