"""Estimates and columns as text."""

from lta.evaluators.table import align_columns, flatten_estimate, format_estimate, format_interval

FOUND = {"value": 0.25, "interval": [0.125, -0.5], "n": 9}


def test_an_estimate_is_written_with_its_interval():
    assert format_estimate(FOUND, ".2f") == "0.25 (0.12 to -0.50)"
    assert format_estimate(FOUND, "+.1f", "-", " %") == "+0.2 % (+0.1--0.5)"
    assert format_estimate(FOUND, lambda value: f"<{value}>") == "<0.25> (<0.125> to <-0.5>)"
    assert format_interval(FOUND, ".3f", ", ") == "(0.125, -0.500)"


def test_an_estimate_is_three_cells_of_a_row():
    assert flatten_estimate(FOUND) == {"value": 0.25, "low": 0.125, "high": -0.5}
    assert list(flatten_estimate(FOUND, "error", "low_error", "high_error")) == ["error", "low_error", "high_error"]
    assert flatten_estimate(None, "a", "b", "c") == {"a": None, "b": None, "c": None}


def test_columns_are_as_wide_as_their_longest_cell():
    assert align_columns([("", "long heading"), ("name", "1")]) == ["         long heading", "  name   1"]
    assert align_columns([("a", "b")], between=" | ", indent="") == ["a | b"]
