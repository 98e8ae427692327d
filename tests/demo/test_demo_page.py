"""The page can be put together: each of its parts is wired to a handler that is there."""

from pretended_page import ATTENTION, MOST, workshop

from lta.demo.course import School
from lta.demo.page import Page
from lta.demo.visits import Visits


def test_a_page_of_two_networks(tmp_path):
    school = School(lambda _: None, {}, MOST, tmp_path)
    page = Page(workshop(tmp_path, "pc", "dp"), Visits(), ATTENTION, school)
    assert len(page.views) == 2
    names = {block_function.fn.__name__ for block_function in page.blocks.fns.values() if block_function.fn}
    assert {"update_results", "upload", "save_result", "teach", "take_back", "save", "choose", "add_example"} <= names
