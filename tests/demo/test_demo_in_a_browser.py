"""The page in headless Chromium: upload, change the effect, download; what it asks for; how it looks on a small screen."""

import shutil
import time
from io import BytesIO
from pathlib import Path

import pytest
import torch
from accessibility import find_violations
from commands import lta_run
from PIL import Image
from pretended_page import photograph
from served_page import served
from untrained_run import untrained_run

import lta
from lta.apply.__main__ import apply
from lta.pictures.read import read_image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
]
PATIENCE = 60_000  # ms: another program may have the processor

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
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return {
        compat: untrained_run(folder / compat, "model.init.scorer=author", f"compat={compat}") for compat in ("pc", "dp")
    }


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def site(place, runs):
    largest = ("largest.megabytes=1", "largest.megapixels=1")
    with served(place, f"checkpoint={runs['pc']}", f"compare={runs['dp']}", *largest) as page:
        yield page
        status, said = page.end()
        said = [line for line in said.splitlines() if not line.startswith("backbone: ")]  # what maps are taught on
        assert (status, said) == (0, ["ended"]), "no traceback, whatever was asked for"
        assert not list((place / "tmp").iterdir())


@pytest.fixture
def opened(browser, site):
    pages = []

    def opens(**context):
        page = browser.new_page(**context)
        page.set_default_timeout(PATIENCE)
        page.asked, page.errors = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("console", lambda message: page.errors.append(message.text) if "Content Security" in message.text else None)
        page.goto(site.address)
        page.locator("figure.lta-result").last.wait_for()
        pages.append(page)
        return page

    yield opens
    for page in pages:
        page.close()


def give(page, name, content, field=0):
    page.locator("input[type=file]").nth(field).set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )


def given(page, name, content):
    """Until both networks have looked at it."""
    give(page, name, content)
    page.locator("figure.lta-given figcaption", has_text=name).wait_for()
    for number in range(2):
        page.locator(f'figure.lta-result img[alt^="{name}"]').nth(number).wait_for()


def unfold(page, name):
    """Gradio makes what is in it only now, and gives each control its value a moment after it can be seen."""
    page.get_by_role("button", name=name).click()
    page.wait_for_timeout(1000)


def pixels(page, number=0):
    return page.locator("figure.lta-result img").nth(number).get_attribute("src")


def change(page, act, number=0):
    """What is shown after `act` has changed it."""
    before = pixels(page, number)
    act()
    page.wait_for_function(
        "([before, number]) => document.querySelectorAll('figure.lta-result img')[number].src != before",
        arg=[before, number],
    )
    return pixels(page, number)


def downloaded(page, folder, number=0):
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download at full size").nth(number).click()
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file


def test_upload_change_the_effect_download(opened, runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = photograph(640, 480, mode="RGBA")
    Path("photo.png").write_bytes(content)
    page = opened(accept_downloads=True)
    given(page, "photo.png", content)
    change(page, lambda: page.get_by_label("blurout", exact=True).check())
    page.get_by_label("pixelate").wait_for()
    assert page.get_by_label("Colour", exact=True).count() == 0, "of fill alone"
    change(page, lambda: page.get_by_label("pixelate").check())
    strength = page.get_by_label("number input for Strength")
    change(page, lambda: (strength.fill("0.5"), strength.press("Enter")))
    unfold(page, "Attention")
    change(page, lambda: page.get_by_label("B", exact=True).check())
    change(page, lambda: page.get_by_label("Invert").check())
    for number, compat in enumerate(("pc", "dp")):
        ours = downloaded(page, tmp_path / compat, number)
        ended = lta_run(
            capsys,
            [
                f"checkpoint={runs[compat]}",
                "images=photo.png",
                "effect=blurout",
                "effect.blurout.how=pixelate",
                "effect.blurout.strength=0.5",
                "attention.levels=[B,C]",
                "attention.invert=true",
                f"out=theirs/{compat}",
            ],
            apply,
            "apply",
            lists=("effect", "images"),
            sweeps=False,
        )
        assert ended.status == 0, ended.err
        (theirs,) = Path(f"theirs/{compat}").iterdir()
        assert ours.name == theirs.name == "photo_blurout.png"
        assert torch.equal(read_image(ours).rgb, read_image(theirs).rgb)
        assert torch.equal(read_image(ours).alpha, read_image(theirs).alpha)
    assert page.errors == []


def test_a_slider_is_dragged_by_mouse_and_by_key(opened):
    page = opened()
    given(page, "photo.png", photograph())
    slider = page.get_by_label("range slider for Radius")
    box = slider.bounding_box()
    change(page, lambda: slider.click(position={"x": box["width"] * 0.8, "y": box["height"] / 2}), 1)
    assert float(slider.input_value()) > 0.15
    slider.focus()
    change(page, lambda: slider.press("Home"), 1)
    assert float(slider.input_value()) == 0.005


def test_bombs_and_what_is_no_picture_are_refused_in_words(opened):
    page = opened()
    bomb = BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    refused = [
        ("bomb.png", bomb.getvalue(), "bomb.png: has 20000 x 20000 pixels; at most 1,000,000 are read"),
        ("notes.jpg", b"no picture", "notes.jpg: is no picture of a known format"),
        ("large.png", bytes(1_100_000), "exceed the maximum allowed size"),
    ]
    for name, content, says in refused:
        give(page, name, content)
        page.get_by_test_id("toast-body").filter(has_text=says).wait_for()
    assert page.locator("figure.lta-given figcaption").inner_text().startswith("astronaut.png")
    given(page, "after.png", photograph())


def test_wrong_values_are_said_on_the_page_and_mended_there(opened):
    page = opened()
    unfold(page, "Attention")
    low = page.get_by_label("number input for Nothing up to")
    low.fill("0.99")
    low.press("Enter")
    alert = page.get_by_role("alert").filter(has_text="low=0.99 must be below high=0.95")
    alert.first.wait_for()
    assert page.locator("figure.lta-result img").count() == 2, "the last one stays"
    low.fill("0.2")
    low.press("Enter")
    alert.first.wait_for(state="detached")


def test_the_query_of_another_picture(opened):
    page = opened()
    unfold(page, "Query")
    assert page.get_by_label("the other picture", exact=True).is_disabled()
    maps = page.locator("figure.lta-map img")
    before = [maps.nth(number).get_attribute("src") for number in range(6)]
    page.locator(".lta-gallery").nth(1).get_by_role("button", name="coffee").click()
    page.get_by_text("Asked with the query of coffee.png:").wait_for()
    page.get_by_text("It ignores the query of coffee.png.").wait_for()
    after = [maps.nth(number).get_attribute("src") for number in range(6)]
    assert before[:3] == after[:3]
    assert not set(before[3:]) & set(after[3:])
    page.get_by_label("this picture", exact=True).check()
    page.get_by_text("Asked with the query of coffee.png:").wait_for(state="detached")
    assert [maps.nth(number).get_attribute("src") for number in range(6)] == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1300, 400])
def test_it_asks_nobody_else_fits_and_can_be_read(opened, site, width, scheme):
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 800})
    unfold(page, "Attention")
    unfold(page, "Query")
    unfold(page, "Where the map comes from")
    page.locator(".lta-gallery").first.get_by_role("button", name="cat").click()
    page.locator('figure.lta-result img[alt^="chelsea.png"]').first.wait_for()
    page.get_by_role("button", name="All effects at a glance").first.click()
    page.locator(".lta-effects img").last.wait_for()
    elsewhere = [url for url in page.asked if not url.startswith((site.address + "/", "data:", "blob:"))]
    assert elsewhere == []
    assert page.errors == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 1300:
        page.get_by_label("Feather", exact=False).first.scroll_into_view_if_needed()
        page.mouse.wheel(0, 2000)
        page.wait_for_function("scrollY > 500")
        assert page.evaluate("document.querySelector('figure.lta-result').getBoundingClientRect().top") > 0, "in view"
    images = "[...document.images].filter(image => image.offsetParent)"
    assert page.evaluate(f"{images}.every(image => image.complete && image.naturalWidth > 0 && image.hasAttribute('alt'))")
    unnamed = "[...document.querySelectorAll('input, select, button')].filter(node => node.offsetParent"
    unnamed += " && !node.labels?.length && !node.ariaLabel && !node.title && !node.innerText.trim())"
    assert page.evaluate(f"{unnamed}.map(node => node.outerHTML)") == []
    for part in ("h2.lta-network", ".lta-about", "figure.lta-given figcaption", ".lta-prediction li span"):
        assert contrast(page, part) >= 4.5, part
    assert find_violations(page) == []


def test_on_a_phone_the_result_stays_in_view_while_a_slider_moves(opened):
    page = opened(viewport={"width": 390, "height": 844}, has_touch=True)
    unfold(page, "Attention")
    place = """node => {
        const box = node.getBoundingClientRect();
        const front = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
        return {top: box.top, bottom: box.bottom, front: front === node || node.contains(front) || front?.contains(node)};
    }"""
    images = page.locator("figure.lta-result .lta-frame")
    keys = {"Radius": "End", "Feather": "End", "Nothing up to": "Home", "Strength": "Home"}  # each one changes something
    for name, key in keys.items():
        slider = page.get_by_label(f"range slider for {name}").first
        slider.focus()
        change(page, lambda slider=slider, key=key: slider.press(key))
        page.wait_for_timeout(300)
        for part in (images.nth(0), images.nth(1), slider):
            seen = part.evaluate(place)
            assert 0 <= seen["top"] < seen["bottom"] <= 844, (name, seen)
            assert seen["front"], (name, "nothing lies over it")


def test_before_and_after_and_all_effects_by_key(opened):
    page = opened(viewport={"width": 1300, "height": 900})
    given(page, "photo.png", photograph(640, 480))
    slider = page.get_by_label("Before and after").first
    slider.focus()
    slider.press("End")
    before = page.locator(".lta-before").first
    clip = "node => getComputedStyle(node).clipPath"
    assert before.evaluate(clip) == "inset(0px 0% 0px 0px)"
    shown = page.locator("figure.lta-given img").get_attribute("src")
    assert shown in before.evaluate("node => getComputedStyle(node).backgroundImage")
    change(page, lambda: page.get_by_label("desaturate", exact=True).check())
    assert slider.input_value() == "100", "it stays where it is"
    assert before.evaluate(clip) == "inset(0px 0% 0px 0px)"
    slider.press("Home")
    assert before.evaluate(clip) == "inset(0px 100% 0px 0px)"
    page.get_by_role("button", name="All effects at a glance").nth(1).click()
    effects = page.locator(".lta-effects button")
    effects.nth(6).wait_for()
    effects.filter(has_text="crop").focus()
    change(page, lambda: page.keyboard.press("Enter"))
    assert page.get_by_label("crop", exact=True).is_checked()
    page.get_by_label("Aspect ratio").wait_for()
    assert page.locator(".lta-before").count() == 0, "a part of the picture is not compared with all of it"


def test_a_mask_file_is_the_map_of_one_picture(opened):
    page = opened()
    given(page, "photo.png", photograph(640, 480))
    unfold(page, "Where the map comes from")
    mask = BytesIO()
    Image.new("L", (640, 480), 255).save(mask, "PNG")
    page.get_by_label("spotlight", exact=True).check()
    change(page, lambda: give(page, "mask.png", mask.getvalue(), field=1))
    page.get_by_text("The map is the mask mask.png.").first.wait_for()
    assert page.get_by_label("mask file").is_checked()
    given(page, "other.png", photograph(400, 300))
    page.get_by_text("The map is the mask mask.png.").first.wait_for(state="detached")
    assert page.get_by_label("network", exact=True).is_checked()
    assert page.errors == []


def contrast(page, part):
    """Of a text with what is behind it, as WCAG 2 has it."""
    ink, papers = page.locator(part).first.evaluate("""node => {
        const papers = [];
        for (let behind = node; behind; behind = behind.parentElement) papers.push(getComputedStyle(behind).backgroundColor);
        return [getComputedStyle(node).color, papers];
    }""")
    lights = []
    for colour in (ink, next(paper for paper in papers if not paper.endswith(", 0)"))):
        values = [float(value) / 255 for value in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def test_keys_are_enough(opened):
    """From the top of the page to an example, by the Tab key."""
    page = opened()
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText") == "rocket":
            break
    change(page, lambda: page.keyboard.press("Enter"))
    page.locator("figure.lta-given figcaption", has_text="rocket.jpg").wait_for()


def test_uploads_do_not_stay_on_the_disk_and_results_go_with_the_page(opened, place, tmp_path):
    def kept():
        return [path.name for path in (place / "tmp").rglob("private*") if path.is_file()]

    page = opened(accept_downloads=True)
    given(page, "private.png", photograph(seed=11))
    assert kept() == []
    downloaded(page, tmp_path)
    assert kept() == ["private_autoblur.png"]
    page.close()
    until = time.monotonic() + 60
    while kept() and time.monotonic() < until:
        time.sleep(0.2)
    assert kept() == []


def test_a_map_is_taught_with_the_brush_taken_back_and_downloaded(opened, tmp_path):
    pytest.importorskip("timm")
    page = opened(accept_downloads=True)
    page.get_by_role("tab", name="Teach").click()
    for number, name in enumerate(("cat", "coffee"), 1):
        page.locator(".lta-gallery:visible").get_by_role("button", name=name).click()
        page.locator(".lta-pupils button").nth(number - 1).wait_for()
    svg = page.locator("#lta-painter svg")
    box = svg.bounding_box()

    def draw(*points):
        for move, (x, y) in enumerate(points):
            page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=4)
            page.mouse.down() if move == 0 else None
        page.mouse.up()

    page.get_by_role("button", name="Outline, filled").click()
    draw((0.35, 0.05), (0.72, 0.05), (0.8, 0.5), (0.7, 0.95), (0.3, 0.95), (0.25, 0.5))
    page.get_by_role("button", name="Eraser").click()
    draw((0.5, 0.5), (0.55, 0.5))
    strokes = page.locator("#lta-painter polyline")
    assert [strokes.nth(number).get_attribute("data-tool") for number in range(2)] == ["outline", "eraser"]
    page.get_by_role("button", name="Undo stroke").click()
    assert strokes.count() == 1
    maps = page.locator(".lta-pupils img")
    before = maps.nth(1).get_attribute("src")
    page.get_by_role("button", name="Teach", exact=True).click()
    page.get_by_text("The maps were taught by 1 mask.").wait_for()
    assert maps.nth(1).get_attribute("src") != before
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the network").click()
    file = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(file)
    assert lta.load(file).hparams["taught_by"] == {"labels": False, "masks": 1}
    page.get_by_role("button", name="Undo the last teaching").click()
    page.get_by_text("taught by nothing").first.wait_for()
    assert maps.nth(1).get_attribute("src") == before
    assert strokes.count() == 0
    page.get_by_role("button", name="Teach", exact=True).click()
    page.get_by_role("alert").filter(has_text="nothing is painted").first.wait_for()
    assert find_violations(page) == []
    assert page.errors == []
