"""What the order of MIDDLEWARE tells, from the settings alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from django.conf import settings

from django_asyncstatic.diagnosing.findings import Finding, Place

OURS = "django_asyncstatic.middleware.AsyncStaticMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"

#: Others that serve static files.
PEERS = ("whitenoise.middleware.WhiteNoiseMiddleware", "servestatic.middleware.ServeStaticMiddleware")

#: What Django's middleware would do to static files if it stood above ours.
WORKS_PER_REQUEST = {
    "django.middleware.gzip.GZipMiddleware": "compresses anew what it has compressed before, and weakens entity tags",
    "django.middleware.cache.UpdateCacheMiddleware": "puts static files into the cache",
    "django.middleware.cache.CacheMiddleware": "puts static files into the cache",
    "django.middleware.cache.FetchFromCacheMiddleware": "asks the cache for static files",
    "django.middleware.http.ConditionalGetMiddleware": "evaluates preconditions that are already answered",
    "django.contrib.sessions.middleware.SessionMiddleware": "looks after a session",
    "django.middleware.locale.LocaleMiddleware": "makes caches keep a copy for each language",
    "django.middleware.common.CommonMiddleware": "compares the path with the URLconf",
    "django.middleware.csrf.CsrfViewMiddleware": "looks after a CSRF cookie",
    "django.contrib.auth.middleware.AuthenticationMiddleware": "looks after a user",
    "django.contrib.messages.middleware.MessageMiddleware": "looks after messages",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware": "looks at each response",
    "django.contrib.redirects.middleware.RedirectFallbackMiddleware": "looks at each response",
}


def order_findings(
    names_of_path: Callable[[str], list[str]] = lambda path: [path], place: Place | None = None
) -> Iterator[Finding]:
    """What the order of MIDDLEWARE tells. ``names_of_path`` gives a middleware's dotted path and those of its bases."""
    known = [set(names_of_path(path)) for path in settings.MIDDLEWARE]
    ours = [number for number, names in enumerate(known) if OURS in names]
    for peer in PEERS:
        if ours and any(peer in names for names in known):
            yield Finding(
                "asyncstatic.W027",
                f"{peer} and {OURS} both serve static files: the upper one answers, the lower one works for nothing.",
                f"Take {peer} out of MIDDLEWARE.",
                place,
                subject=peer,
            )
    if len(ours) > 1:
        yield Finding(
            "asyncstatic.W026",
            f"{OURS} stands in MIDDLEWARE {len(ours)} times: the upper one answers, the others work for nothing.",
            "Leave the one right below SecurityMiddleware.",
            place,
            subject=OURS,
        )
    if ours:
        yield from _wrong_place(known, ours[0], place)


def _wrong_place(known: list[set[str]], ours: int, place: Place | None) -> Iterator[Finding]:
    if any(SECURITY in names for names in known[ours + 1 :]):
        yield Finding(
            "asyncstatic.W024",
            f"{OURS} stands above SecurityMiddleware, whose headers and redirect to https static files then lack.",
            "Put it right below SecurityMiddleware.",
            place,
            subject=SECURITY,
        )
    above = [(name, what) for names in known[:ours] for name, what in WORKS_PER_REQUEST.items() if name in names]
    if above:
        listed = "; ".join(f"{name.rpartition('.')[2]} {what}" for name, what in above)
        yield Finding(
            "asyncstatic.W024",
            f"Above {OURS} stands what does work for each static file: {listed}.",
            "Put AsyncStaticMiddleware right below SecurityMiddleware, above these.",
            place,
            subject=OURS,
        )
