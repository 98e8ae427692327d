"""Pictures are loaded ahead of the network, in order, and not all at once."""

import threading

import pytest
import torch

from lta.training.given import Given, load_ahead


def test_order_is_kept_and_only_some_are_loaded_ahead():
    loaded, lock = [], threading.Lock()

    def load(number):
        with lock:
            loaded.append(number)
        if number % 5 == 3:
            raise ValueError(f"no {number}")
        return torch.full((3, 1, 1), number, dtype=torch.uint8)

    given = [Given(f"{number}", lambda number=number: load(number)) for number in range(100)]
    for place, one in enumerate(load_ahead(given, 6)):
        assert len(loaded) <= place + 7
        if place % 5 == 3:
            assert str(one) == f"no {place}"
        else:
            assert one[0, 0, 0] == place
    assert sorted(loaded) == list(range(100)), "each once"


def test_who_has_enough_leaves_no_thread_behind():
    def fail():
        raise RuntimeError("a mistake of ours")

    def pictures():
        return [Given("a", lambda: torch.zeros(3, 1, 1, dtype=torch.uint8)) for _ in range(50)]

    before = threading.active_count()
    ahead = load_ahead(pictures(), 4)
    next(ahead)
    ahead.close()
    with pytest.raises(RuntimeError, match="ours"):
        list(load_ahead([*pictures(), Given("b", fail)], 4))
    assert threading.active_count() == before
