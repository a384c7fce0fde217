"""The documentation site: `sphinx-build -W --keep-going -b html docs docs/_build`.

`-D nb_execution_mode=off` leaves the notebooks unexecuted, which takes seconds instead of minutes.
"""

import os
import re

project = "gan_jax"
author = "The gan_jax authors"
copyright = "The gan_jax authors"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "jupyter_execute", "**.ipynb_checkpoints"]
templates_path = ["_templates"]

html_theme = "sphinx_book_theme"
html_title = "gan_jax"
html_static_path = ["audio"]  # what pages play
html_theme_options = {"show_toc_level": 2, "home_page_in_toc": True}

# Pages: Markdown. An anchor for each heading, so that pages can link to sections.
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3

# Notebooks: executed here and nowhere else.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 1800
nb_merge_streams = True
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides XLA's messages about its cache

# Reference: a page for every module, found by importing the package. Docstrings are plain text with
# single backticks around code.
autosummary_generate = True
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
default_role = "code"
highlight_language = "text"
smartquotes = False
# What a package exports is documented there and in its own module; links go to either.
suppress_warnings = ["ref.python"]
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]  # fields are what a class is given


def plain_text(app, what, name, obj, options, lines):
    """Keeps `*` and `|` of formulas from being read as markup, and links names of the package."""
    for number, line in enumerate(lines):
        parts = re.split(r"(`[^`]*`)", line)
        parts[::2] = [re.sub(r"(?<!\\)([*|])", r"\\\1", part) for part in parts[::2]]
        lines[number] = re.sub(r"`(gan_jax\.[\w.]+)`", r":py:obj:`\1`", "".join(parts))


def short_signature(app, what, name, obj, options, signature, annotation):
    """Shows JAX's arrays under their public name, and only a module's own fields."""

    def shortened(text):
        text = text.replace("jaxlib._jax.", "")
        return re.sub(r"(, )?parent: .*?, name: str \| None = None", "", text)

    return signature and shortened(signature), annotation and shortened(annotation)


def setup(app):
    """Connects the two functions above; the first one before napoleon reads the sections."""
    app.connect("autodoc-process-docstring", plain_text, priority=100)
    app.connect("autodoc-process-signature", short_signature)
