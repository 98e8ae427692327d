"""What a spreadsheet would compute."""

import pytest

from lta.runtime.spreadsheets import quote_formula, render_table


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1+1", "-1-1", "@SUM(A1)", "\t=1", "\r=1", "-", "=1"])
def test_a_class_that_is_called_like_a_formula(name):
    assert quote_formula(name) == f"'{name}"
    assert name.strip() in render_table([{"class": name, "error": -1.5}])
    assert "'" in render_table([{"class": name, "error": -1.5}])


@pytest.mark.parametrize("cell", ["cat", "-0.5", "+1e-4", -3, -2.5, None, True, "a=b", ""])
def test_all_else_stays(cell):
    assert quote_formula(cell) == cell


def test_a_table_and_a_name_that_is_no_utf_8():
    assert render_table([]) == ""
    rows = [{"a": "x,y", "b": None}, {"b": 0.5, "a": "\udcf6"}]
    assert render_table(rows) == 'a,b\n"x,y",\n\\udcf6,0.5\n'
