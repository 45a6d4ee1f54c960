"""What importing the middleware costs at the start of a worker: measured, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from django.conf import settings

#: Seconds after which the measurement is given up.
PATIENCE = 60

#: Run there: Django is set up first, so that what it and the apps import is not the middleware's.
_MEASURE = """
import json, sys, time
sys.path[:0], paths = json.loads(sys.argv[1])
import django
from django.utils.module_loading import import_string
django.setup()
import django.core.handlers.asgi, django.core.handlers.wsgi
seconds = []
for path in paths:
    start = time.perf_counter()
    try:
        import_string(path)
    except Exception:
        pass
    seconds.append(time.perf_counter() - start)
sys.stdout.flush()
print("\\n" + json.dumps(seconds))
"""


def import_seconds(paths: Sequence[str]) -> dict[str, float]:
    """Seconds by dotted path, imported in this order: what two of them share counts for the first.

    Raises ``OSError`` and ``ValueError`` where it cannot be measured.
    """
    module = getattr(settings, "SETTINGS_MODULE", None)
    if not module:
        raise ValueError("the settings are not a module")
    here = [os.path.abspath(path) for path in sys.path]
    try:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, json.dumps([here, list(paths)])],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": module},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"a process that sets Django up takes more than {PATIENCE} seconds") from error
    except subprocess.CalledProcessError as error:
        # Not the error's own text, which has the program above and all of sys.path.
        said = error.stderr.decode(errors="replace").strip().splitlines() or [f"status {error.returncode}"]
        raise ValueError(f"a process that sets Django up fails: {said[-1]}") from error
    return dict(zip(paths, json.loads(done.stdout.splitlines()[-1]), strict=True))
