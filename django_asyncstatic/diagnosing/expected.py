"""What serving would send, asked of serving itself, for a sample of the index: a resource per family of files."""

from __future__ import annotations

from collections import Counter
from math import inf

from django_asyncstatic import conf
from django_asyncstatic.diagnosing.collected import Collected
from django_asyncstatic.diagnosing.project import Project
from django_asyncstatic.index import InvalidIndex, Resource, StaticIndex
from django_asyncstatic.media_types import media_type
from django_asyncstatic.serving.mounts import Mount
from django_asyncstatic.serving.plans import PreparedResource
from django_asyncstatic.serving.security import SecurityPolicy
from django_asyncstatic.sources import IndexLoader

#: Names with the same suffix of which the best is taken.
_LOOKED_AT = 40

#: By what a media type begins with; the first that fits. ``.map`` is told by its name.
_FAMILIES = (
    ("text/css", "stylesheets"),
    ("text/javascript", "scripts"),
    ("font/", "fonts"),
    ("image/", "images"),
    ("audio/", "audio, video"),
    ("video/", "audio, video"),
    ("application/wasm", "wasm"),
    ("text/html", "html"),
    ("application/json", "json"),
)


def family_of(name: str, media_type: str) -> str:
    """The family that a file belongs to: ``stylesheets``, ``source maps``, ``other``."""
    if name.endswith(".map"):
        return "source maps"
    return next((family for start, family in _FAMILIES if media_type.startswith(start)), "other")


def choose_families(collected: Collected) -> dict[str, list[str]]:
    """For each family of the current release a hashed name and a plain one, usually of the same resource.

    Of the first few with a suffix that one which has most codings, and of several the smallest: it shows most for the
    fewest bytes.
    """
    best: dict[tuple[str, bool], tuple[int, float, str, str]] = {}
    for names in (collected.aliases, collected.resources):
        looked: Counter[str] = Counter()
        done: set[str] = set()
        for name in names:
            suffix = name.rpartition(".")[2]
            stored = collected.answer(name) if suffix not in done else None
            if stored is not None and names[name].release is None:
                looked[suffix] += 1
                if looked[suffix] == _LOOKED_AT:
                    done.add(suffix)
                key = family_of(name, media_type(name)), names is collected.aliases or not stored.is_immutable
                rank = (-len(stored.codings), stored.size or inf, stored.file, name)
                best[key] = min(best.get(key, rank), rank)
    families: dict[str, list[str]] = {}
    for (family, _), (*_, name) in sorted(best.items()):
        families.setdefault(family, []).append(name)
    return families


def choose_extremes(collected: Collected) -> list[str]:
    """The smallest and the largest of the current release."""
    sizes = [(stored.size, name) for name, stored in collected.resources.items() if stored.release is None]
    return [min(sizes)[1], max(sizes)[1]] if sizes else []


def current_resource(index: StaticIndex, name: str) -> Resource | None:
    """The resource, if the current release has it."""
    try:
        resource = index.get(name)
    except InvalidIndex:  # a line that no collect wrote
        return None
    return None if resource is None or resource.release is not None else resource


def directives_of(cache_control: str | None) -> dict[str, str]:
    """The directives of a Cache-Control field by lower-case name, whatever their order (RFC 9111 5.2)."""
    directives = {}
    for member in (cache_control or "").split(","):
        name, _, value = member.partition("=")
        if name.strip():
            directives[name.strip().lower()] = value.strip().strip('"')
    return directives


class Expected:
    """The static files of a project as serving has them. Raises ``ImproperlyConfigured``.

    ``is_secure`` chooses the headers of https. ``knows_security`` is false where SecurityMiddleware could not, or must
    not, be asked for its headers.
    """

    def __init__(self, project: Project, *, is_secure: bool) -> None:
        self.knows_security = False
        policy = conf.header_policy()
        if project.instantiate:
            try:
                security = conf.security_policy() or SecurityPolicy()
            except Exception:  # what stands in MIDDLEWARE cannot be imported, which the family "chain" tells
                pass
            else:
                policy = policy._replace(extra=security.secure_headers if is_secure else security.headers)
                self.knows_security = True
        source = IndexLoader(lambda: project.place)
        self._mount = Mount(conf.static_prefix(), source, policy, conf.mount_options())

    def get(self, name: str) -> PreparedResource | None:
        """The resource of a name, its headers computed; ``None`` where serving gives none, or a redirect.

        Raises whatever a function of the project's raises that serving calls for it.
        """
        found = self._mount.get(name)
        return found if isinstance(found, PreparedResource) else None
