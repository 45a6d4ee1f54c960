"""The app: put it in ``INSTALLED_APPS`` above ``django.contrib.staticfiles``."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AsyncStaticConfig(AppConfig):
    """No models; nothing is loaded or scanned until a static file is asked for."""

    name = "django_asyncstatic"
    label = "asyncstatic"
    verbose_name = _("Async static files")

    def ready(self) -> None:
        from django_asyncstatic import checks  # noqa: F401  (they register themselves)
