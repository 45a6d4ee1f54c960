"""A project with one view, and the middleware, apps and storage that a benchmark asks for."""

import json
import os

#: An ``Application`` of ``servers.py`` and the ``Tree`` of ``fixture.py`` that it serves.
BENCHMARK = json.loads(os.environ["BENCHMARK"])

SECRET_KEY = "benchmark"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "project.urls"
INSTALLED_APPS = [*BENCHMARK["apps"], "django.contrib.staticfiles"]
MIDDLEWARE = BENCHMARK["middleware"]

STATIC_URL = "static/"
STATIC_ROOT = BENCHMARK["root"]
STORAGES = {"staticfiles": {"BACKEND": BENCHMARK["storage"]}}
if BENCHMARK["manifest"]:
    from django.core.files.storage import FileSystemStorage

    manifest_storage = FileSystemStorage(location=BENCHMARK["manifest"])
    STORAGES["staticfiles"]["OPTIONS"] = {"manifest_storage": manifest_storage}
