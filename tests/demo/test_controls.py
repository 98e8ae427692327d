"""What the page's controls hold, and what is made of it."""

import pytest
import torch
from pretended_page import ATTENTION, effects

from lta.demo import controls
from lta.demo.controls import (
    OF_EFFECTS,
    Choice,
    Colour,
    Number,
    find_idle_keys,
    make_attention_controls,
    to_control_value,
    to_setting_value,
)


@pytest.mark.parametrize("name", effects())
def test_every_value_of_every_effect_has_a_control_whose_ends_the_effect_takes(name):
    effect = effects()[name]
    picture, attention = torch.zeros(3, 20, 30, dtype=torch.uint8), torch.rand(20, 30)
    for key, value in effect.keywords.items():
        control = OF_EFFECTS[key]
        assert to_setting_value(key, to_control_value(key, value)) == value
        if isinstance(control, Number):
            tried = (control.low, control.high, value)
            assert control.low <= value <= control.high
        elif isinstance(control, Choice):
            tried = control.choices
            assert to_control_value(key, value) in tried
        else:
            assert isinstance(control, Colour)
            tried = ("#000000", "rgba(12.4, 255, 0.7, 0.5)")
        for one in tried:
            effect(picture, attention, **{key: to_setting_value(key, one)})


def test_attention_has_a_control_for_each_setting():
    described = make_attention_controls("ABC")
    assert list(described) == list(ATTENTION)
    assert [to_control_value(key, None, "ABC") for key in ("levels", "edges")] == [["C"], 0.05]
    assert to_control_value("levels", "all", "ABC") == ["A", "B", "C"]
    assert to_control_value("levels", "B", "ABC") == ["B"]


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#0a10ff", [10, 16, 255]),
        ("#0A10FF80", [10, 16, 255]),
        ("rgb(1, 2, 3)", [1, 2, 3]),
        ("rgba(254.6, 0.4, 7, 1)", [255, 0, 7]),
    ],
)
def test_colours_are_read_in_every_form(text, colour):
    assert to_setting_value("colour", text) == colour


@pytest.mark.parametrize("text", ["red", "#12345", "rgb(1, 2)", "", None, "rgba(1.2.3, 1, 1, 1)"])
def test_what_is_no_colour_is_said(text):
    with pytest.raises(ValueError, match=r"colour=.* must be a colour"):
        to_setting_value("colour", text)


def test_what_changes_nothing_is_idle():
    assert [find_idle_keys({"how": how, "radius": 1}) for how in ("blur", "pixelate", "fill")] == [
        {"colour"},
        {"colour"},
        {"radius"},
    ]
    assert find_idle_keys({"strength": 1}) == set()
    assert to_setting_value("aspect", controls.AS_IT_IS) is None
    assert to_setting_value("aspect", "5:4") == "5:4"
