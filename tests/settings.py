"""The project that the tests serve: the admin, two other real packages, and a few files of our own."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).parent

SECRET_KEY = "for the tests only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True

INSTALLED_APPS = [
    "django_asyncstatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "debug_toolbar",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django_asyncstatic.middleware.AsyncStaticMiddleware",
]
ROOT_URLCONF = "tests.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES: dict[str, object] = {}

STATIC_URL = "static/"
# Servers that the tests start are other processes; they are told where the tests collected to.
STATIC_ROOT = os.environ.get("ASYNCSTATIC_TEST_ROOT", BASE_DIR / "no-such-root")
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django_asyncstatic.storage.CompressedManifestStaticFilesStorage",
        # Low levels: the tests compress a thousand files, and any level gives real representations.
        "OPTIONS": {"levels": {"gzip": 4, "br": 4, "zstd": 4}},
    },
}
if "ASYNCSTATIC_TEST_MEMORY" in os.environ:
    ASYNCSTATIC_MEMORY = int(os.environ["ASYNCSTATIC_TEST_MEMORY"])
