"""Sphinx's settings: `make docs` builds this folder's pages into docs/_build, offline."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402
import gpu_figures  # noqa: E402

import lta  # noqa: E402

project = "lta"
author = "the lta authors"
copyright = "2026, the lta authors"
version = release = lta.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
default_role = "literal"  # docstrings put code between single backticks
autosummary_generate = False
nitpicky = True  # what a public signature names of lta is public too; other libraries' pages are not looked up
nitpick_ignore_regex = [("py:class", r"(?!lta\.).*"), ("py:obj", r".*\.T_co")]
autodoc_inherit_docstrings = False  # those of Lightning and PyTorch have roles of their own
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"lta {release}"
html_search_scorer = str(HERE / "scorer.js")


def complete_page(app, docname, source):
    source[0] = gpu_figures.insert_figures(generate.link_studies(source[0]))


def setup(app):
    app.connect("source-read", complete_page)
    # Of named tuples, whose fields are in the signature.
    app.connect("autodoc-skip-member", lambda *event: (event[3].__doc__ or "").startswith("Alias for field number") or None)


generate.write_pages(HERE / "reference" / "generated")
