"""What ``manage.py check`` can say from the settings alone: it never touches the disk or a storage's ``url()``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ImproperlyConfigured


@checks.register(checks.Tags.staticfiles)
def check_order_of_apps(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """W051: Django takes a management command from the first app that has it."""
    names = [each.name for each in apps.get_app_configs()]
    ours, theirs = "django_asyncstatic", "django.contrib.staticfiles"
    if theirs not in names or names.index(ours) < names.index(theirs):
        return []
    from django_asyncstatic import conf  # only where there may be something to say: it loads what serves

    try:
        if not conf.makes_index():
            return []
    except ImproperlyConfigured:
        return []  # the storage's own error is clearer
    return [
        checks.Warning(
            "django_asyncstatic stands below django.contrib.staticfiles in INSTALLED_APPS, so that collectstatic is"
            " Django's: it rewrites files while they are served, and finds broken references one by one.",
            hint='Put "django_asyncstatic" above "django.contrib.staticfiles".',
            id="asyncstatic.W051",
        )
    ]
