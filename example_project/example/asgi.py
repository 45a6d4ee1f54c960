"""The ASGI application: what uvicorn, hypercorn, daphne and granian serve."""

import os

# from django.core.asgi import get_asgi_application
from django_asyncstatic.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings")

application = get_asgi_application()
