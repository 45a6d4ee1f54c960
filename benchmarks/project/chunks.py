"""Our wrapper with chunks of another size: so many KiB as the application's name ends with."""

from django.conf import settings

from django_asyncstatic.serving import streams


def asgi():
    from django_asyncstatic.asgi import get_asgi_application

    streams.CHUNK_SIZE = int(settings.BENCHMARK["name"].split()[-2]) * 1024
    return get_asgi_application()
