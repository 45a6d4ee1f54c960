#!/usr/bin/env python
"""Collect, check and serve the example project, as a deployment does: python serve.py"""

import argparse
import importlib.util
import runpy
import subprocess
import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent

# Every server serves the ASGI application but gunicorn, which serves the WSGI one.
SERVERS = {
    "uvicorn": "uvicorn example.asgi:application --host 127.0.0.1 --port {port}",
    "hypercorn": "hypercorn example.asgi:application --bind 127.0.0.1:{port}",
    "daphne": "daphne example.asgi:application -b 127.0.0.1 -p {port}",
    "granian": "granian example.asgi:application --interface asgi --host 127.0.0.1 --port {port}",
    "gunicorn": "gunicorn example.wsgi:application --bind 127.0.0.1:{port} --threads 4",
}


def manage(*arguments):
    """Run a management command as one does by hand and return its exit status."""
    print(f"\n$ python manage.py {' '.join(arguments)}", flush=True)
    return subprocess.call([sys.executable, BASE_DIR / "manage.py", *arguments])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--server", choices=SERVERS, default="uvicorn")
    parser.add_argument("--no-serve", action="store_true", help="do everything but the serving")
    options = parser.parse_args()

    for module in ("django_asyncstatic", "rest_framework", "debug_toolbar"):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed: in the checkout, python -m pip install -e '.[example]'"
    if not options.no_serve and importlib.util.find_spec(options.server) is None:
        return f"{options.server} is not installed: python -m pip install {options.server}"

    for command in (["collectstatic", "--noinput"], ["migrate", "--verbosity", "0"]):
        if status := manage(*command):
            return status
    if (status := manage("checkstatic")) == 1:
        print("\nThese are findings of checkstatic; the site works all the same.")
    elif status:
        return status
    if options.no_serve:
        return 0

    print(f"\nServing http://127.0.0.1:{options.port}/ with {options.server}; Ctrl-C ends it.\n")
    sys.stdout.flush()
    # The server's own command line, in this process: signals reach it, and it finds `example`.
    sys.argv = SERVERS[options.server].format(port=options.port).split()
    runpy.run_module(options.server, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
