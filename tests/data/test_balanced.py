"""Epochs with as many images of each class, and what is said of unequal classes."""

import numpy as np
import pytest

from lta.data.batches import EpochBatches
from lta.data.imbalance import add_counts, warn_of_imbalance

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 5], [60, 25, 10, 3]))


def epoch(number, world_size=1, rank=0, seed=0, batch_size=12):
    batches = EpochBatches(len(LABELS), batch_size, True, seed, rank, world_size, LABELS)
    batches.set_epoch(number)
    return list(batches)


@pytest.mark.parametrize("number", range(4))
def test_an_epoch_has_evenly_many_of_each_class(number):
    drawn = np.concatenate(epoch(number, batch_size=1 + len(LABELS) % 2))  # none is left over at the end
    counts = np.bincount(LABELS[drawn], minlength=6)[[0, 1, 2, 5]]
    assert counts.sum() == 98
    assert set(counts) == {24, 25}
    for label in (0, 1, 2, 5):
        times = np.unique_counts(np.r_[drawn[LABELS[drawn] == label], np.flatnonzero(label == LABELS)]).counts
        assert times.max() - times.min() <= 1, "none comes again before all others have come"


def test_processes_share_what_one_would_see_and_epochs_depend_on_their_number_alone():
    alone = epoch(3)
    assert len(alone) == 8
    shared = [epoch(3, 2, rank) for rank in (0, 1)]
    for whole, *parts in zip(alone, *shared, strict=True):
        assert sorted(np.concatenate(parts)) == sorted(whole)
    assert all(np.array_equal(one, other) for one, other in zip(alone, epoch(3), strict=True)), "as a resumed run sees it"
    assert not np.array_equal(np.concatenate(alone), np.concatenate(epoch(4)))
    assert not np.array_equal(np.concatenate(alone), np.concatenate(epoch(3, seed=1)))


def test_what_is_said_of_unequal_classes():
    names = ("a", "b", "c")
    even, uneven = np.repeat([0, 1, 2], [100, 101, 109]), np.repeat([0, 1, 2], [100, 500, 600])
    assert add_counts(even, names) == names
    assert add_counts(uneven, names) == ("a 100", "b 500", "c 600")
    assert warn_of_imbalance(np.repeat([0, 1, 2], [100, 500, 500]), names) == ""
    said = warn_of_imbalance(uneven, names)
    assert said.startswith("classes are unequal: 100 training images of a, 600 of c. The error hides how small classes fare")
    assert warn_of_imbalance(np.zeros(0, int), names) == ""
    assert add_counts(np.zeros(0, int), names) == names
