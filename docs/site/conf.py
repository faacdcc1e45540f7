"""Sphinx's configuration of the course's site: `python -m grading site OUT` lays out the pages and calls Sphinx with it."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
with open(ROOT / "pyproject.toml", "rb") as file:
    _project = tomllib.load(file)["project"]

project = "Deep Learning for Medical Image Analysis"
author = "the contributors"
project_copyright = "the contributors; text and figures CC BY 4.0, code MIT, each data set under its own licence"
version = release = _project["version"]
language = "en"

extensions = ["myst_nb", "sphinx.ext.githubpages"]
exclude_patterns = ["files", "extra"]
root_doc = "index"
nitpicky = True
highlight_language = "none"  # a block without a language is what a terminal shows
smartquotes = False  # what is quoted from notebook and manifest stays as it is

nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_dmath_allow_space = False  # "$5 and $6" is money
myst_dmath_double_inline = True
html_math_renderer = "mathml"  # see `setup`: browsers draw it by themselves, so no page fetches a script

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/favicon.svg"
html_context = {"default_mode": "auto"}  # light or dark as the reader's system has it; a button changes it
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_sidebars = {"index": [], "syllabus": [], "results": []}
html_theme_options = {
    "logo": {"text": "DLMIA", "alt_text": "Deep Learning for Medical Image Analysis: first page"},
    "header_links_before_dropdown": 7,
    "icon_links": [{"name": "Repository", "url": _project["urls"]["Repository"], "icon": "fa-solid fa-code-branch"}],
    "navbar_align": "left",
    "show_toc_level": 2,
    "navigation_depth": 2,
    "collapse_navigation": True,
    "back_to_top_button": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
    "footer_start": ["copyright"],
    "footer_end": [],
}


def _formula(writer, node, block: bool) -> None:
    from docutils import nodes

    from grading.site.notebook import mathml

    try:
        made = mathml(node.astext(), block)
        writer.body.append(f'<div class="formula">{made}</div>' if block else made)
    except Exception as problem:
        from sphinx.util import logging

        logging.getLogger(__name__).warning("%s", problem, location=node)
    raise nodes.SkipNode


def setup(app):
    """Formulas become MathML while the page is written."""
    line, block = ((lambda writer, node, block=block: _formula(writer, node, block), None) for block in (False, True))
    app.add_html_math_renderer("mathml", line, block)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
