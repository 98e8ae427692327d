"""The page can be put together: each of its parts is wired to a handler that is there."""

from pretended_page import ATTENTION, workshop

from lta.demo.page import Page
from lta.demo.visits import Visits


def test_a_page_of_two_networks(tmp_path):
    page = Page(workshop(tmp_path, "pc", "dp"), Visits(), ATTENTION)
    assert len(page.views) == 2
    assert len(page.blocks.fns) > 10
