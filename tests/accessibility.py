"""What axe-core finds wrong with a page in the browser."""

from axe_playwright_python.sync_playwright import Axe


def find_violations(page):
    """Serious and critical ones: (rule, selector) of each element, in the colour scheme and with the parts that are open."""
    found = Axe().run(page).response["violations"]
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    return [(violation["id"], node["target"][0]) for violation in serious for node in violation["nodes"]]
