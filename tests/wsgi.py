"""For servers: the middleware inside Django, and the wrapper in front of it."""

import django.core.wsgi

import django_asyncstatic.wsgi

middleware = django.core.wsgi.get_wsgi_application()
wrapper = django_asyncstatic.wsgi.get_wsgi_application()
