#!/usr/bin/env python
"""Run the tests: python runtests.py [pytest arguments]."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    parallel = ["-n", "auto"] if importlib.util.find_spec("xdist") else []
    sys.exit(pytest.main([*parallel, *sys.argv[1:]]))
