"""For gunicorn --preload: an application that has answered before the workers are forked, and is answering just then.

With ASYNCSTATIC_TEST_MEMORY=0, so that each answer takes locks.
"""

from __future__ import annotations

import threading

from tests.edges import ask_wsgi
from tests.wsgi import wrapper as application

PATHS = ("/static/site/text.txt", "/static/site/large/noise.bin")


def _ask_for_ever() -> None:
    """Forks happen at any moment of an answer, its locks held or not."""
    while True:
        for path in PATHS:
            ask_wsgi(application, "GET", path)


for _path in PATHS:
    assert ask_wsgi(application, "GET", _path).status == 200
threading.Thread(target=_ask_for_ever, daemon=True).start()
