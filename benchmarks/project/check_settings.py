"""What checkstatic looks at in ``check.py``: static files, templates, a chain with the usual middleware."""

import json
import os

#: From ``check.py``: apps, the directories of sources and of templates, and the one that is collected to.
BENCHMARK = json.loads(os.environ["BENCHMARK"])

SECRET_KEY = "benchmark"
DEBUG = False
USE_TZ = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["django_asyncstatic", *BENCHMARK["apps"], "django.contrib.staticfiles"][bool(BENCHMARK["storage"]) :]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django_asyncstatic.middleware.AsyncStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BENCHMARK["templates"]],
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
STATIC_URL = "static/"
STATIC_ROOT = BENCHMARK["root"]
STATICFILES_DIRS = [BENCHMARK["sources"]]
OURS = "django_asyncstatic.storage.CompressedManifestStaticFilesStorage"
STORAGES = {"staticfiles": {"BACKEND": BENCHMARK["storage"] or OURS}}
