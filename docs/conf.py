"""Sphinx: ``sphinx-build -W docs docs/_build/html``."""

import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

from docutils import nodes
from sphinx.application import Sphinx

import django_asyncstatic  # it imports nothing, so it needs no settings

project = "django-asyncstatic"
author = "The django-asyncstatic developers"
project_copyright = f"2026, {author}"
release = version = django_asyncstatic.__version__

extensions = ["sphinx.ext.autodoc"]
autodoc_typehints = "none"
exclude_patterns = ["_build"]
nitpicky = True
html_theme = "furo"
pygments_style = "default"  # furo's own shows no colour for what a diff adds
pygments_dark_style = "monokai"
html_title = f"{project} {release}"


def _name_findings(app: Sphinx, doctree: Any) -> None:
    """Give each finding's paragraph the anchor that checkstatic's reports link to."""
    for term in doctree.findall(nodes.term):
        if found := re.match(r"asyncstatic\.[EWI]\d{3}\b", term.astext()):  # an asterisk may follow
            term["ids"].append(nodes.make_id(found[0]))


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _name_findings)
