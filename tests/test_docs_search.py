"""The documentation builds without a warning, and its own search finds the page that a user looks for."""

import re
import shutil
import sys

import processes
import pytest
from commands import environment
from pages import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUESTIONS = {
    "autoblur": "guide/apply",
    "bounding boxes": "science/boxes",
    "calibration": "guide/evaluate",
    "checkpoint": "reference/run_directory",
    "class weights": "unequal_classes",
    "confusion matrix": "guide/evaluate",
    "data augmentation": "guide/augmentation",
    "early stopping": "guide/recipes",
    "fine-tune": "backbones",
    "Grad-CAM": "guide/evaluate",
    "HEIC": "guide/data",
    "inert query": "science/inert_query",
    "install": "start",
    "label smoothing": "guide/recipes",
    "latex table": "guide/report",
    "learning rate": "guide/recipes",
    "metrics.csv": "reference/metrics",
    "mixup": "guide/augmentation",
    "multi-GPU": "guide/devices",
    "multi-label": "guide/several_labels",
    "onnx": "guide/export",
    "own dataset": "guide/data",
    "out of memory": "guide/augmentation",
    "own pictures": "guide/your_own_pictures",
    "resume": "guide/resume",
    "slurm": "guide/slurm",
    "speed": "performance",
    "sweep": "guide/sweeps",
    "tensorboard": "guide/wandb",
    "test-time augmentation": "guide/evaluate",
    "time limit": "guide/resume",
    "wandb offline": "guide/wandb",
}
FIRST = {"own pictures"}
"""Questions that must find their page before all others."""


BUILT = ROOT / "docs" / "_build" / "built"
"""Written by `make docs`, when it has built the pages without a warning."""
SOURCES = ("docs", "lta", "conf", "experiments", "examples")


def is_built() -> bool:
    """Whether it has, since anything has changed that may be in them."""
    below = (path for name in SOURCES for path in (ROOT / name).rglob("*") if "_build" not in path.parts)
    files = [path for path in (*below, *ROOT.glob("*.*")) if path.is_file() and path.suffix != ".pyc"]
    return BUILT.is_file() and all(path.stat().st_mtime < BUILT.stat().st_mtime for path in files)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if is_built():
        return BUILT.parent / "html"
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(ROOT / "docs"), str(folder)]
    ended = processes.run(build, cwd=ROOT, env=environment(), timeout=600)
    assert (ended.returncode, ended.stderr) == (0, "")
    return folder


@pytest.mark.slow
def test_the_pages_that_can_be_looked_for_are_there(site):
    assert not [page for page in QUESTIONS.values() if not (site / f"{page}.html").is_file()]


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="the site is searched in Chromium")
def test_the_search_finds_the_page_among_the_first_three(site):
    from playwright.sync_api import sync_playwright

    missed = {}
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--allow-file-access-from-files"])
        page = browser.new_page()
        for question, wanted in QUESTIONS.items():
            page.goto(f"{(site / 'search.html').as_uri()}?q={question.replace(' ', '+')}")
            page.locator("p.search-summary", has_text=re.compile("found")).wait_for()
            links = page.locator("ul.search > li > a")
            hits = [
                links.nth(n).get_attribute("href").partition(".html")[0]
                for n in range(min(links.count(), 1 if question in FIRST else 3))
            ]
            if wanted not in hits:
                missed[question] = hits
        browser.close()
    assert not missed
