"""Sheets of tiles: where pictures stand, what is written, what the legend explains."""

import numpy as np
import pytest
from PIL import Image

from lta.viz.colour import colour_table
from lta.viz.difference import CAME, LEFT
from lta.viz.legend import legend
from lta.viz.panel import enlarge
from lta.viz.sheet import Tile, sheet

RNG = np.random.default_rng(0)
BLUE, VERMILION = [0, 0x72, 0xB2], [0xD5, 0x5E, 0]


def tiles(number: int, text: str = "", right: bool | None = None) -> list[Tile]:
    return [Tile(RNG.integers(0, 256, (32, 32, 3), dtype=np.uint8), text, right) for _ in range(number)]


def found(page: Image.Image, tile: Tile) -> list[tuple[int, int]]:
    """Where the picture lies, (left, top)."""
    pixels, picture = np.asarray(page), enlarge(tile.image)
    height, width = picture.shape[:2]
    corners = np.argwhere((pixels[: 1 - height, : 1 - width] == picture[0, 0]).all(-1))
    return [(x, y) for y, x in corners.tolist() if (pixels[y : y + height, x : x + width] == picture).all()]


def has(page: Image.Image, colour: list[int]) -> bool:
    return bool((np.asarray(page) == colour).all(-1).any())


@pytest.mark.parametrize("title", ["", "what it shows"])
def test_every_picture_stands_once_in_its_row_and_column(title):
    rows = [tiles(3, "cat"), tiles(3, "dog")]
    page = sheet(rows, ["one", "two", "three"], title, ("map",))
    places = [[found(page, tile) for tile in row] for row in rows]
    assert all(len(place) == 1 for row in places for place in row)
    for column in range(3):
        assert places[0][column][0][0] == places[1][column][0][0]
    for row in places:
        assert len({place[0][1] for place in row}) == 1


def test_a_long_line_widens_its_column_until_it_is_cut():
    words = "37 % on it, 12 % on the other"
    narrow, wide, cut = (sheet([[*tiles(1, text), *tiles(1)]], ["", ""]) for text in ("cat", words, 20 * words))
    assert narrow.width < wide.width < cut.width
    assert cut.width == narrow.width - 128 + 200
    assert narrow.height == wide.height == cut.height


@pytest.mark.parametrize(("right", "there", "missing"), [(True, BLUE, VERMILION), (False, VERMILION, BLUE)])
def test_right_and_wrong_have_their_colour(right, there, missing):
    page = sheet([[Tile(np.full((32, 32, 3), 127, np.uint8), "cat", right)]], ["picture"])
    assert has(page, there)
    assert not has(page, missing)


def test_the_title_stands_above_the_headings_above_the_pictures():
    plain, headed, titled = (
        sheet([tiles(2)], headings, title)
        for headings, title in (
            (["", ""], ""),
            (["one", "two"], ""),
            (["one", "two"], "what it shows"),
        )
    )
    assert plain.height < headed.height < titled.height


@pytest.mark.parametrize("part", ["map", "change", "right", "wrong", "uniform"])
def test_the_legend_shows_what_was_asked_for(part):
    page = Image.new("RGB", (400, 30), "white")
    legend(page, 5, 5, 395, [part])
    assert has(page, BLUE) == (part in ("change", "right"))
    assert has(page, VERMILION) == (part in ("change", "wrong"))
    assert has(page, colour_table("inferno")[254].tolist()) == (part == "map")


def test_the_legend_of_changes_runs_from_left_to_came():
    page = Image.new("RGB", (400, 30), "white")
    legend(page, 0, 0, 400, ["change"])
    row = np.asarray(page)[6]
    first = np.argwhere((row == LEFT).all(-1)).min()
    last = np.argwhere((row == CAME).all(-1)).max()
    assert last - first == 127
    assert np.ptp(row[first + 63].astype(int)) < 4, "grey in the middle"


def test_what_has_no_room_in_the_legend_is_left_out():
    narrow, page = (Image.new("RGB", (400, 30), "white") for _ in range(2))
    legend(narrow, 0, 0, 260, ["map", "wrong", "uniform"])
    legend(page, 0, 0, 400, ["map"])
    assert (np.asarray(narrow) == np.asarray(page)).all()
