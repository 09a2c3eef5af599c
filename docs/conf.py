"""How Sphinx builds the site; ``make -C docs html`` runs it."""

from __future__ import annotations

import inspect
import os
import sys
from contextlib import closing
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

# the package of this checkout, also in the processes that run the examples, and pages.py
sys.path.insert(0, os.path.abspath("."))
sys.path.insert(0, os.path.abspath(".."))

import skdistill

#: make -C docs html EXAMPLES=0 runs nothing, for a look at the pages alone
EXAMPLES = os.environ.get("EXAMPLES", "1") != "0"

project = "skdistill"
author = "the skdistill maintainers"
project_copyright = author
version = release = skdistill.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinxext.opengraph",
]
exclude_patterns = ["_build", "auto_examples/*.ipynb", "auto_examples/*.py", "auto_examples/**.md5"]
templates_path = ["_templates"]
nitpicky = True
default_role = "code"

# pages
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]

# every block of Python of every page is run, and what it prints is shown
nb_custom_formats = {".md": "pages.read"}
nb_execution_mode = "auto" if EXAMPLES else "off"
#: mlflow starts a server and keeps a database; tests/test_pages.py runs its page
nb_execution_excludepatterns = ["recipes/mlflow.md", "recipes/engines.md"]
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_execution_timeout = 300
nb_output_stderr = "error"
nb_merge_streams = True
# what the kernels inherit: this checkout and a single thread
os.environ |= {"PYTHONPATH": os.path.abspath(".."), "OMP_NUM_THREADS": "1"}

# the reference, from docstrings
autosummary_generate = True
autodoc_member_order = "groupwise"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_use_plots = False
numpydoc_xref_param_type = False
#: types in docstrings that are words, and names of other packages, whose inventories may be out of reach
nitpick_ignore_regex = [
    (r"py:.*", r"(numpy|np|scipy|sklearn|pandas|matplotlib|onnx|torch|joblib)(\..*)?"),
    (r"py:(class|obj)", r"(Array|ArrayLike|NDArray|default|optional|array-like|callable|estimator|path-like).*"),
]

# other projects' references, where there is a network: nothing is fetched, and nothing is missed, without one
_INVENTORIES = {
    "python": "https://docs.python.org/3",
    "numpy": "https://numpy.org/doc/stable",
    "sklearn": "https://scikit-learn.org/stable",
}


def _reachable(url: str) -> bool:
    """Return whether a project's inventory answers within three seconds."""
    try:
        with closing(urlopen(f"{url}/objects.inv", timeout=3)):
            return urlsplit(url).scheme == "https"
    except (URLError, OSError):
        return False


intersphinx_mapping = {name: (f"{url}/", None) for name, url in _INVENTORIES.items() if _reachable(url)}
intersphinx_timeout = 10

# the gallery: each examples/plot_*.py is run
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"plot_",
    "ignore_pattern": r"(^|/)(?!plot_)[^/]*\.py$",
    "abort_on_example_error": True,
    "copyfile_regex": r".*\.rst",
    "download_all_examples": False,
    "remove_config_comments": True,
    "min_reported_time": 1e9,
    "show_signature": False,
    "write_computation_times": False,
    "doc_module": ("skdistill",),
    "backreferences_dir": "api/generated/backreferences",
    "plot_gallery": EXAMPLES,
}

# looks
html_theme = "furo"
html_title = "skdistill"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
# what is shown of a page where it is linked to; the picture needs the address that the site is published at
html_baseurl = ogp_site_url = os.environ.get("SITE_URL", "")
ogp_image = "_static/card.png"
ogp_image_alt = "skdistill turns a slow model into a small, fast one"
html_math_renderer = "mathml"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def _inline_math(writer: Any, node: nodes.math) -> None:
    """Write a formula within a line as MathML, which browsers draw by themselves."""
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _block_math(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(f'<div class="formula">{tex2mathml(node.astext(), as_block=True)}</div>\n')
    raise nodes.SkipNode


def _skip(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the methods that scikit-learn adds to every estimator, and Python to every tuple."""
    if what == "class" and (name in vars(tuple) or str(getattr(member, "__doc__", "")).startswith("Alias for field")):
        return True
    function = inspect.unwrap(member) if callable(member) else member
    module = getattr(function, "__module__", None)
    return True if what == "class" and module is not None and not module.startswith("skdistill") else None


def setup(app: Sphinx) -> None:
    """Register what is defined here."""
    app.add_html_math_renderer("mathml", (_inline_math, None), (_block_math, None))
    app.connect("autodoc-skip-member", _skip)
