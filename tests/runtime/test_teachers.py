"""What maps were taught by, in words."""

import pytest

from lta.runtime.teachers import UNTAUGHT, add_teachers, name_teachers


@pytest.mark.parametrize(
    ("taught", "says"),
    [
        ({"labels": True, "masks": 0}, "labels"),
        ({"labels": True, "masks": 1, "levels": ["B"]}, "labels and 1 mask"),
        ({"labels": True, "masks": 1200}, "labels and 1,200 masks"),
        ({"labels": False, "masks": 8}, "8 masks"),
        ({"labels": False, "masks": 0}, UNTAUGHT),
        (None, None),
        ("labels", None),
        ({"labels": True, "masks": "<b>"}, None),
        ({"labels": True, "masks": -1}, None),
        ({"labels": True, "masks": True}, None),
    ],
)
def test_teachers_are_named_and_nothing_is_made_up(taught, says):
    assert name_teachers(taught) == says
    assert add_teachers("epoch 3", taught) == ("epoch 3" if says is None else f"epoch 3; maps taught by {says}")
