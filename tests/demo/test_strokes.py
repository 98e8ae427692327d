"""What was painted, from what the browser sends to a mask."""

import json
import re

import numpy as np
import pytest

from lta.demo.strokes import MOST_POINTS, Stroke, draw_mask, parse_strokes, render_strokes


def test_strokes_cover_what_lies_before_them():
    line = Stroke("brush", 10, ((20, 30), (60, 30)))
    mask = np.asarray(draw_mask([line], (80, 60)))
    assert mask.shape == (60, 80)
    assert set(np.unique(mask)) == {0, 255}
    assert abs((mask > 0).sum() - (40 * 10 + np.pi * 25)) < 60, "round at both ends"
    assert mask[30, 16] == mask[30, 64] == 255 > mask[30, 13] == mask[38, 40]
    erased = np.asarray(draw_mask([line, Stroke("eraser", 12, ((40, 30), (40, 30)))], (80, 60)))
    assert erased[30, 40] == 0 < erased[30, 30]
    again = np.asarray(draw_mask([line, Stroke("eraser", 12, ((40, 30),)), line], (80, 60)))
    assert np.array_equal(again, mask)


def test_an_outline_is_filled_and_parts_outside_the_picture_are_cut_off():
    outline = Stroke("outline", 5, ((-20, 10), (30, 10), (30, 500), (-20, 500)))
    mask = np.asarray(draw_mask([outline], (80, 60)))
    assert (mask[11:, :30] == 255).all()
    assert not mask[:10].any()
    assert not mask[:, 32:].any()
    assert draw_mask([Stroke("outline", 5, ((3, 3), (4, 4)))], (9, 9)).getbbox() is None
    assert draw_mask([], (9, 9)).getbbox() is None


def test_what_is_drawn_again_is_what_was_sent():
    said = json.dumps([["brush", 12.5, "1,2 30.5,4 30.5,4"], ["eraser", 3, "-1,2"]])
    strokes = parse_strokes(said)
    assert strokes[0] == Stroke("brush", 12.5, ((1, 2), (30.5, 4), (30.5, 4)))
    drawn = re.findall(r'data-tool="(\w+)" stroke-width="(.*?)" points="(.*?)"', render_strokes(strokes))
    assert parse_strokes(json.dumps([[tool, float(width), points] for tool, width, points in drawn])) == strokes


@pytest.mark.parametrize(
    "said",
    [
        None,
        "",
        "{}",
        "[1]",
        "[" * 100_000,
        json.dumps([["pen", 1, "1,2"]]),
        json.dumps([["brush", True, "1,2"]]),
        json.dumps([["brush", -1, "1,2"]]),
        json.dumps([["brush", 1e9, "1,2"]]),
        '[["brush", NaN, "1,2"]]',
        json.dumps([["brush", 1, ""]]),
        json.dumps([["brush", 1, '1,2"/><script>']]),
        json.dumps([["brush", 1, "1,9999999999"]]),
        json.dumps([["brush", 1, "1,2"]] * 3000),
        json.dumps([["brush", 1, " ".join(["1,2"] * (MOST_POINTS + 1))]]),
    ],
)
def test_anything_else_is_refused_in_words(said):
    with pytest.raises(ValueError, match="what was painted"):
        parse_strokes(said)
