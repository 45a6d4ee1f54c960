"""The wrappers of peers in front of Django, as their documentation has them."""

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application


def servestatic_asgi():
    from servestatic import ServeStaticASGI

    return ServeStaticASGI(get_asgi_application(), root=settings.STATIC_ROOT, prefix="static/")


def servestatic_wsgi():
    from servestatic import ServeStatic

    return ServeStatic(get_wsgi_application(), root=settings.STATIC_ROOT, prefix="static/")


def whitenoise_wsgi():
    from whitenoise import WhiteNoise

    return WhiteNoise(get_wsgi_application(), root=settings.STATIC_ROOT, prefix="static/")


def blacknoise_asgi():
    from blacknoise import BlackNoise

    application = BlackNoise(get_asgi_application(), immutable_file_test=lambda *arguments: True)
    application.add(settings.STATIC_ROOT, "/static/")
    return application
