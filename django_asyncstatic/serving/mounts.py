"""Where resources are found: a mount is a URL prefix with an index under it, a site is several mounts.

What is computed per resource is kept here, bounded, and dropped when the index is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import BinaryIO

from django_asyncstatic.index import InvalidIndex, ResourceIndex
from django_asyncstatic.serving.contents import Contents, log_once
from django_asyncstatic.serving.fields import Fields
from django_asyncstatic.serving.headers import HeaderPolicy
from django_asyncstatic.serving.plans import Plan, PreparedResource, make_plan
from django_asyncstatic.serving.security import SecurityPolicy

#: Resources kept prepared per mount, a few kilobytes each; the oldest go first. A page has under a hundred.
PREPARED_RESOURCES = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """What stands behind a mount, and may be shared by several: an index and the files it names.

    ``current()`` gives the index as it is now, the same object while it is the same index; it may look at
    the disk at a bounded rate. ``is_ready()`` tells whether the first call would have to load it.
    """

    current: Callable[[], ResourceIndex]
    is_ready: Callable[[], bool]
    contents: Callable[[], Contents]


class Mount:
    """The resources of a source under a URL prefix (``/static/``), with the headers of a policy."""

    def __init__(self, prefix: str | None, source: Source, policy: HeaderPolicy) -> None:
        self.prefix = normalize_prefix(prefix)
        self.source = source
        self.policy = policy
        self._prepared: tuple[ResourceIndex | None, dict[str, PreparedResource]] = (None, {})
        self._lock = Lock()

    def get(self, name: str) -> PreparedResource | None:
        """The resource of a name below the prefix, prepared; ``None`` if the index has none."""
        index = self.source.current()
        known, prepared = self._prepared
        if known is not index:
            prepared = {}
            self._prepared = (index, prepared)
        found = prepared.get(name)
        if found is None:
            try:
                resource = index.get(name)
            except InvalidIndex as error:
                log_once(str(error))
                resource = None
            if resource is None:
                return None
            found = PreparedResource(resource, self.policy)
            with self._lock:
                prepared[name] = found
                while len(prepared) > PREPARED_RESOURCES:
                    del prepared[next(iter(prepared))]
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """A plan, and where its content comes from."""

    plan: Plan
    contents: Contents

    def remembered(self) -> bytes | None:
        """The body, where it is in memory or there is none: nothing has to be opened."""
        return b"" if self.plan.content is None else self.contents.remembered(self.plan.content)

    def open(self) -> bytes | BinaryIO:
        """The body, or a file positioned at its start. Raises :class:`ContentUnavailable`."""
        return b"" if self.plan.content is None else self.contents.open(self.plan.content)


Candidates = Sequence[tuple[Mount, str]]


class Site:
    """Mounts, the latest first: a prefix given twice means the later directory, as with WhiteNoise.

    With a ``security`` policy every mount is there twice, its headers prepared for http and for https.
    """

    def __init__(self, policy: HeaderPolicy | None = None, security: SecurityPolicy | None = None) -> None:
        self.policy = policy or HeaderPolicy()
        self.security = security
        self._mounts: list[Mount] = []
        self._secure_mounts: list[Mount] = []

    def add(self, prefix: str | None, source: Source) -> None:
        """Serve a source under a prefix."""
        if self.security is None:
            self._mounts.insert(0, Mount(prefix, source, self.policy))
            self._secure_mounts = self._mounts
        else:
            policy, secure_policy = (
                replace(self.policy, extra=extra) for extra in (self.security.headers, self.security.secure_headers)
            )
            self._mounts.insert(0, Mount(prefix, source, policy))
            self._secure_mounts.insert(0, Mount(prefix, source, secure_policy))

    def candidates(self, script_name: str, path_info: str, *, is_secure: bool = False) -> Candidates:
        """The mounts whose prefix the path has, each with the name below it.

        A prefix that begins with the script name is one as the browser sees it (``STATIC_URL =
        "/app/static/"`` for a site at ``/app``), and is matched without it.
        """
        found = []
        for mount in self._secure_mounts if is_secure else self._mounts:
            if path_info.startswith(mount.prefix):
                found.append((mount, path_info[len(mount.prefix) :]))
            elif script_name and mount.prefix.startswith(script_name + "/"):
                prefix = mount.prefix[len(script_name) :]
                if path_info.startswith(prefix):
                    found.append((mount, path_info[len(prefix) :]))
        return found

    def would_redirect(self, path: str, *, is_secure: bool) -> bool:
        """Whether the application would answer with a redirect to https."""
        return self.security is not None and self.security.would_redirect(path, is_secure=is_secure)


def are_ready(candidates: Candidates) -> bool:
    """Whether their indexes are loaded: if not, asking them is work for a thread."""
    return all(mount.source.is_ready() for mount, _ in candidates)


def answer(candidates: Candidates, method: str, fields: Callable[[], Fields]) -> Answer | None:
    """The answer of the first mount that has the resource; ``None`` if it is somebody else's."""
    for mount, name in candidates:
        prepared = mount.get(name)
        if prepared is not None:
            return Answer(make_plan(prepared, method, fields()), mount.source.contents())
    return None


def normalize_prefix(prefix: str | None) -> str:
    """``static`` to ``/static/``; the empty prefix to ``/``."""
    inner = (prefix or "").strip("/")
    return f"/{inner}/" if inner else "/"
