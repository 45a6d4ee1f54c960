"""For servers: the middleware inside Django, and the wrapper in front of it."""

import django.core.asgi

import django_asyncstatic.asgi
from tests.probe import Probe

middleware = django.core.asgi.get_asgi_application()
wrapper = django_asyncstatic.asgi.get_asgi_application()
probed_middleware = Probe(middleware)
probed_wrapper = Probe(wrapper)
