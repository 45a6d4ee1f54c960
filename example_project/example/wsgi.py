"""The WSGI application: what gunicorn, uWSGI and mod_wsgi serve."""

import os

# from django.core.wsgi import get_wsgi_application
from django_asyncstatic.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")

application = get_wsgi_application()
