"""What an answer in front of Django must not lose of SecurityMiddleware: its headers and its redirect.

Both depend on whether the request came over https, which a proxy may tell in a header of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from django_asyncstatic.serving.headers import Pairs


class SecurityPolicy(NamedTuple):
    """Two prepared sets of headers, chosen by scheme, and when to leave the request to the application.

    ``proxy_header`` is SECURE_PROXY_SSL_HEADER: a lower-case field name and the value that means https.
    ``exempt`` are SECURE_REDIRECT_EXEMPT's patterns, matched against the path without its leading slash.
    """

    headers: Pairs = ()
    secure_headers: Pairs = ()
    redirects: bool = False
    exempt: tuple[re.Pattern[str], ...] = ()
    proxy_header: tuple[str, str] | None = None

    def is_secure_scope(self, scope: Mapping[str, Any]) -> bool:
        if self.proxy_header is not None:
            name = self.proxy_header[0].encode()
            said = [value.decode("latin-1") for header, value in scope["headers"] if header == name]
            if said:
                return self._says_https(said[0])
        return scope.get("scheme") == "https"

    def is_secure_environ(self, environ: Mapping[str, Any]) -> bool:
        if self.proxy_header is not None:
            said = environ.get("HTTP_" + self.proxy_header[0].upper().replace("-", "_"))
            if said is not None:
                return self._says_https(said)
        return environ.get("wsgi.url_scheme") == "https"

    def would_redirect(self, path: str, *, is_secure: bool) -> bool:
        """Whether SecurityMiddleware would answer with a redirect to https: then let it."""
        return self.redirects and not is_secure and not _any_matches(self.exempt, path.lstrip("/"))

    def _says_https(self, value: str) -> bool:
        assert self.proxy_header is not None
        # As Django: the first of several proxies counts.
        return value.partition(",")[0].strip() == self.proxy_header[1]


def _any_matches(patterns: Iterable[re.Pattern[str]], path: str) -> bool:
    return any(pattern.search(path) for pattern in patterns)
