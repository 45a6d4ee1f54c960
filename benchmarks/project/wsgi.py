"""What a WSGI server serves: the result of the function that the benchmark names."""

import os

from django.conf import settings
from django.utils.module_loading import import_string

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application = import_string(settings.BENCHMARK["wsgi"])()
