"""Content-Security-Policy against STATIC_URL: what a page may not load, as far as settings say so for certain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.http.request import validate_host

#: Which directives speak for a family, the most special first (CSP level 3, 6.8.3); the first that is there counts.
_DIRECTIVES = {
    "stylesheets": ("style-src-elem", "style-src", "default-src"),
    "scripts": ("script-src-elem", "script-src", "default-src"),
    "fonts": ("font-src", "default-src"),
    "images": ("img-src", "default-src"),
    "audio, video": ("media-src", "default-src"),
}

#: The middleware that sends a policy, and where it has it from: Django 6.0's, and that of django-csp 4.
_POLICIES = (
    ("django.middleware.csp.ContentSecurityPolicyMiddleware", "SECURE_CSP", ()),
    ("csp.middleware.CSPMiddleware", "CONTENT_SECURITY_POLICY", ("DIRECTIVES",)),
)


class Policy(NamedTuple):
    """A policy that is sent with pages: the setting that it stands in, and its directives."""

    setting: str
    directives: Mapping[str, Any]

    def forbidden(
        self, families: Iterable[str], static_url: str, own_hosts: list[str]
    ) -> Iterator[tuple[str, str, str]]:
        """Families that cannot be loaded from STATIC_URL, with the directive and the source that would allow them.

        ``own_hosts`` are those of the pages, as ALLOWED_HOSTS has them.
        """
        static = urlsplit(static_url)
        is_own = static.hostname is None or validate_host(static.hostname, [each for each in own_hosts if each != "*"])
        for family in families:
            for directive in _DIRECTIVES.get(family, ()):
                sources = _sources(self.directives.get(directive))
                if sources is None:
                    continue
                if not any(_may_allow(source, static, is_own=is_own) for source in sources):
                    yield family, directive, "'self'" if is_own else f"{static.scheme or 'https'}://{static.netloc}"
                break


def policies_sent() -> Iterator[Policy]:
    """The policies whose middleware is installed."""
    for middleware, setting, keys in _POLICIES:
        value: Any = getattr(settings, setting, None) if middleware in settings.MIDDLEWARE else None
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, Mapping):
            yield Policy(setting, value)


def _sources(values: Any) -> list[str] | None:
    """The source expressions of a directive, in lower case; ``None`` where it is not sent."""
    if values is None or values is False:
        return None
    each = values if isinstance(values, (list, tuple, set, frozenset)) else [values]
    return " ".join(map(str, each)).lower().split()


def is_another_host(static_url: str, own_hosts: list[str]) -> bool:
    """Whether the pages of any host load static files from another: browsers then want CORS."""
    host = urlsplit(static_url).hostname
    return host is not None and [each.lower() for each in own_hosts] != [host]


def _may_allow(source: str, static: SplitResult, *, is_own: bool) -> bool:
    """Whether a source expression allows a URL below STATIC_URL, or may (CSP level 3, 6.7.2.8)."""
    if source == "'self'":
        return is_own
    if source.startswith(("'nonce-", "'sha", "'strict-dynamic'", "<csp_nonce_")) or source in ("*", "true"):
        return True
    if source.startswith("'"):  # 'none', 'unsafe-inline' and the like say nothing of URLs
        return False
    if source.endswith(":"):
        return source in ("http:", "https:") and static.scheme in ("", "https", source[:-1])
    if not static.hostname:  # a host's name may be the site's own
        return True
    try:
        host = urlsplit(source if "://" in source else f"//{source}").hostname or ""
    except ValueError:  # no source expression; browsers ignore it
        return False
    return static.hostname.endswith(host[1:]) if host.startswith("*.") else host in ("*", static.hostname)
