"""What axe-core finds wrong with a page in the browser."""

from axe_playwright_python.sync_playwright import Axe

IS_SETTLED = """() => [...document.querySelectorAll('p, button, label, h1, h2, h3, [role=alert]')].every(
    one => { for (let e = one; e; e = e.parentElement) {
        const moving = e.getAnimations().some(a => a.transitionProperty === 'opacity' && a.playState === 'running');
        if (moving || e.classList.contains('pending')) return false; } return true; })"""
"""Whether no text is half transparent just now, as Gradio's is that waits for an answer: there, contrast says nothing."""


def find_violations(page):
    """Serious and critical ones: (rule, selector) of each element, in the colour scheme and with the parts that are open."""
    page.wait_for_function(IS_SETTLED)
    found = Axe().run(page).response["violations"]
    serious = [violation for violation in found if violation["impact"] in ("serious", "critical")]
    return [(violation["id"], node["target"][0]) for violation in serious for node in violation["nodes"]]
