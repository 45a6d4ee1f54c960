"""Sphinx: ``sphinx-build -W docs docs/_build/html``."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"

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
html_title = f"{project} {release}"
