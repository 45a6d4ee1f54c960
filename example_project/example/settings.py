"""
Settings of the example project: `startproject`'s, as production runs them.

Comments stand at the lines that concern django-asyncstatic.
"""

from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = "only-for-the-example-project-never-use-this-key-anywhere-else"

# The site runs as in production: Django itself serves no static file when DEBUG is off.
DEBUG = False

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    # Above staticfiles: a management command of the same name is taken from the app that stands first.
    "django_asyncstatic",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    # These two are here for their static files only.
    "rest_framework",
    "debug_toolbar",
    "pages",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    # Right below SecurityMiddleware: a static file needs none of the others.
    "django_asyncstatic.middleware.AsyncStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "example.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Both answer static files before Django's handler is entered.
ASGI_APPLICATION = "example.asgi.application"
WSGI_APPLICATION = "example.wsgi.application"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": BASE_DIR / "db.sqlite3",
    },
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True

# Where the files are asked for, and where collectstatic puts them.
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # Hashes names, rewrites references, compresses, and writes the index.
    "staticfiles": {
        "BACKEND": "django_asyncstatic.storage.CompressedManifestStaticFilesStorage",
        # Rewrite the imports of JavaScript modules as well as the references in stylesheets.
        "OPTIONS": {"support_js_module_import_aggregation": True},
    },
}

# The toolbar's middleware is left out on purpose.
SILENCED_SYSTEM_CHECKS = ["debug_toolbar.W001"]
