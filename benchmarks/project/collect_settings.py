"""What collectstatic needs, with the storage and the apps that a candidate of ``collect.py`` asks for."""

import json
import os
import sys
from types import ModuleType

#: A ``Candidate`` of ``collect.py``, the directory of sources and the one that is collected to.
BENCHMARK = json.loads(os.environ["BENCHMARK"])

SECRET_KEY = "benchmark"
DEBUG = False
USE_TZ = True
INSTALLED_APPS = BENCHMARK["apps"]

STATIC_URL = "static/"
STATIC_ROOT = BENCHMARK["root"]
STATICFILES_DIRS = [BENCHMARK["sources"]]
STORAGES = {"staticfiles": {"BACKEND": BENCHMARK["storage"]}}

if BENCHMARK["zstd"] and sys.version_info < (3, 14):
    # It looks for Python 3.14's compression.zstd alone: give it the backport of the same under that name, so that
    # it makes the codings it makes by default.
    from backports import zstd

    sys.modules["compression"] = ModuleType("compression")
    sys.modules["compression"].zstd = sys.modules["compression.zstd"] = zstd
