"""The page in headless Chromium: everything loads, the table sorts, the slider moves."""

import shutil

import pytest
from accessibility import find_violations
from made_runs import figure, make_run

from lta.report.__main__ import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("report")
    for number, (model, error) in enumerate((("vgg_att1", 10.0), ("vgg_att2", 5.0), ("vgg_att3", 7.5))):
        answers = {"classification": {"error": figure(error)}}
        make_run(place / str(number), "data=cifar10", f"model={model}", error=error, panels=3 * number, answers=answers)
    assert main([str(place), "--out", str(place)]) == 0
    return place


def opened(browser, place, **context):
    page = browser.new_page(**context)
    page.failures = []
    page.on("requestfailed", lambda request: page.failures.append(request.url))
    page.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else page.failures.append(request.url)
    )
    page.on("console", lambda message: page.failures.append(message.text))
    page.on("pageerror", lambda error: page.failures.append(str(error)))
    page.goto(f"file://{place / 'report.html'}")
    return page


def column(page, place):
    return page.locator(f"table >> nth=0 >> tbody tr td:nth-child({place})").all_inner_texts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_all_of_it_loads_and_fits(browser, place, scheme, width):
    page = opened(browser, place, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.failures == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "only tables scroll sideways"
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    ink, paper = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    light = [sum(map(int, colour[4:-1].split(","))) > 380 for colour in (ink, paper)]
    assert light == ([False, True] if scheme == "light" else [True, False])
    assert find_violations(page) == []
    text = page.locator(".charts text").first
    assert text.evaluate("node => getComputedStyle(node).fill") == ink
    page.close()


def test_the_table_sorts_and_rows_without_a_figure_stay_last(browser, place):
    page = opened(browser, place)
    button = page.locator("table >> nth=0 >> thead button", has_text="ours")
    button.click()
    ours = [text.split()[0] for text in column(page, 5)]
    assert ours[:3] == ["5.00", "7.50", "10.00"]
    assert set(ours[3:]) == {"not"}
    button.click()
    assert [text.split()[0] for text in column(page, 5)][:3] == ["10.00", "7.50", "5.00"]
    assert page.locator("th[aria-sort=descending]").count() == 1
    page.close()


def test_the_slider_moves_through_the_epochs(browser, place):
    page = opened(browser, place)
    film = page.locator(".film").first
    slider = film.locator("input")
    shown = film.locator("img:visible")
    assert (shown.count(), shown.get_attribute("data-epoch"), film.locator("output").inner_text()) == (
        1,
        "3",
        "after 3 epochs",
    )
    slider.focus()
    slider.press("ArrowLeft")
    assert (shown.count(), shown.get_attribute("data-epoch"), film.locator("output").inner_text()) == (
        1,
        "2",
        "after 2 epochs",
    )
    slider.press("Home")
    assert shown.get_attribute("data-epoch") == "1"
    page.close()
