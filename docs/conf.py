"""The settings of Sphinx: `make docs` builds the site."""

import logging
import os
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
os.environ.setdefault("KERAS_BACKEND", "jax")  # imported already; TensorFlow takes seconds
sys.path[:0] = [str(ROOT), str(ROOT / "adapters")]

import matplotlib  # noqa: E402

import lrsched  # noqa: E402
from docs._extensions.site import EXPLORER  # noqa: E402

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = "lrsched"
version = release = lrsched.__version__
copyright = "the authors of lrsched, under the Apache License 2.0"
html_title = f"{project} {version}"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "docs._extensions.downloads",
    "docs._extensions.site",
]
exclude_patterns = ["_extensions", "_templates"]
nitpicky = True
# There is no network for the inventories of other libraries, and private names have no place.
nitpick_ignore_regex = [("py:.*", r"(?!lrsched).*|.*\._.*")]
# A part of the site may have no page yet.
logging.getLogger("sphinx.sphinx.directives.other").addFilter(
    lambda record: "glob pattern" not in str(record.msg)
)

default_role = "code"
smartquotes = False  # quotes and dashes of code stay as they are
myst_heading_anchors = 4
maximum_signature_line_length = 70

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
# A font that has what formulas need, for readers without one.
html_static_path = ["_static", f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSerif.ttf"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_context = {"has_explorer": EXPLORER.exists()}
html_sidebars = {  # Furo's, with a link to the explorer
    "**": [
        "sidebar/brand.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "explorer.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_copy_source = False
html_show_sphinx = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

_REPOSITORY = _PROJECT.get("urls", {}).get("Repository")
html_theme_options: dict[str, object] = {"navigation_with_keys": True}
if _REPOSITORY:  # "edit this page" needs to know where
    html_theme_options |= {
        "source_repository": _REPOSITORY,
        "source_branch": "main",
        "source_directory": "docs/",
    }
