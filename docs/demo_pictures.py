"""Pictures of the page: python docs/demo_pictures.py RUN OTHER_RUN docs

Writes demo.webp, the page of RUN with all effects at a glance and the picture before over a third of the result;
demo_compare.webp, both networks on the gallery's second photograph; and demo_phone.webp, the page of RUN on a phone while a
slider has the focus.
"""

import io
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def page_of(browser, *arguments, **context):
    command = [sys.executable, "-m", "lta.demo", "port=null", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = next(line.split()[0] for line in process.stdout if line.startswith("http://"))
    page = browser.new_page(**context)
    page.goto(address)
    page.locator("figure.lta-result").last.wait_for()
    yield page
    page.close()
    process.send_signal(signal.SIGTERM)
    process.wait()


def settled(page):
    page.mouse.move(0, 0)
    page.wait_for_timeout(2000)


def save(page, path):
    Image.open(io.BytesIO(page.screenshot())).save(path, quality=80, method=6)


if __name__ == "__main__":
    run, other, out = sys.argv[1:]
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        with page_of(browser, f"checkpoint={run}", viewport={"width": 1400, "height": 900}) as page:
            page.get_by_label("Before and after").fill("33")
            page.get_by_role("button", name="All effects at a glance").click()
            page.locator(".lta-effects img").last.wait_for()
            settled(page)
            save(page, Path(out) / "demo.webp")
            page.set_viewport_size({"width": 390, "height": 844})
            page.get_by_role("button", name="Attention").click()
            page.wait_for_timeout(1000)
            page.get_by_label("range slider for Feather").focus()
            settled(page)
            save(page, Path(out) / "demo_phone.webp")
        both = (f"checkpoint={run}", f"compare={other}")
        with page_of(browser, *both, viewport={"width": 1200, "height": 900}, color_scheme="dark") as page:
            page.locator(".lta-gallery button").nth(1).click()
            page.locator('figure.lta-result img[alt^="chelsea"]').last.wait_for()
            page.get_by_label("spotlight").check()
            settled(page)
            save(page, Path(out) / "demo_compare.webp")
        browser.close()
