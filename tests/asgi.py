"""For servers: the middleware inside Django, and the wrapper in front of it."""

import django.core.asgi

import django_asyncstatic.asgi

middleware = django.core.asgi.get_asgi_application()
wrapper = django_asyncstatic.asgi.get_asgi_application()
