"""What a spreadsheet would compute."""

import pytest

from lta.evaluate.answers import _table
from lta.runtime.spreadsheets import quote_formula


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1+1", "-1-1", "@SUM(A1)", "\t=1", "\r=1", "-", "=1"])
def test_a_class_that_is_called_like_a_formula(name):
    assert quote_formula(name) == f"'{name}"
    assert name.strip() in _table([{"class": name, "error": -1.5}])
    assert "'" in _table([{"class": name, "error": -1.5}])


@pytest.mark.parametrize("cell", ["cat", "-0.5", "+1e-4", -3, -2.5, None, True, "a=b", ""])
def test_all_else_stays(cell):
    assert quote_formula(cell) == cell
