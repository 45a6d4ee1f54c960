"""Where resources are found: a mount is a URL prefix with an index under it, a site is several mounts.

What is computed per resource is kept here, bounded, and dropped when the index is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO, NamedTuple, Protocol
from urllib.parse import quote

from django_asyncstatic.index import InvalidIndex, Resource, ResourceIndex
from django_asyncstatic.serving.contents import Contents, ContentUnavailable, log_once
from django_asyncstatic.serving.fields import Fields
from django_asyncstatic.serving.headers import HeaderPolicy
from django_asyncstatic.serving.locks import ForkableLock
from django_asyncstatic.serving.memory import Memory
from django_asyncstatic.serving.plans import UNAVAILABLE, Plan, PreparedResource, make_plan, make_redirect_plan
from django_asyncstatic.serving.security import SecurityPolicy

__all__ = ["MountOptions"]

#: Resources kept prepared per mount, a few kilobytes each; the oldest go first. A page has under a hundred.
PREPARED_RESOURCES = 4096


class Source(Protocol):
    """What stands behind a mount, and may be shared by several: an index and the files it names."""

    def current(self) -> ResourceIndex:
        """The index as it is now, the same object while it is the same index; may load it, or look for a newer one."""

    def ready(self) -> ResourceIndex | None:
        """What :meth:`current` gives, if that is known without a look at the disk."""

    def contents(self) -> Contents:
        """The files."""

    def is_live(self, name: str) -> bool:
        """Whether a name that the index lacks is to be looked up on the disk."""

    def look_up(self, name: str) -> Resource | None:
        """Look it up on the disk."""

    def refresh(self, known: ResourceIndex, *, at_once: bool = False) -> bool:
        """Whether there is a newer index than the ``known`` one. May not look again so soon, unless ``at_once``."""

    def would_load(self) -> bool:
        """Whether :meth:`refresh` would load an index, or wait for a thread that does. Looks for one as seldom."""


class MountOptions(NamedTuple):
    """What a mount does beyond serving names that the index has.

    ``index_file`` (``index.html``) is served for a path that ends with a slash; the path without the slash, and the one
    with the file's name, are redirected to it. ``dotfiles`` lets names be served that have a component that begins
    with a dot; ``.well-known`` at the start (RFC 8615) is never hidden.
    """

    index_file: str | None = None
    dotfiles: bool = False


class Redirect(NamedTuple):
    """Where else a resource is, relative to the path that was asked for."""

    location: str


class Mount:
    """The resources of a source under a URL prefix (``/static/``), with the headers of a policy."""

    def __init__(
        self, prefix: str | None, source: Source, policy: HeaderPolicy, options: MountOptions | None = None
    ) -> None:
        self.prefix = normalize_prefix(prefix)
        self.source = source
        self.policy = policy
        self.options = options or MountOptions()
        self._prepared: tuple[ResourceIndex | None, dict[str, PreparedResource]] = (None, {})
        self._lock = ForkableLock()

    def get(self, name: str) -> PreparedResource | Redirect | None:
        """The resource of a name below the prefix, prepared; ``None`` if there is none."""
        index = self.source.current()
        known, prepared = self._prepared
        if known is not index:
            prepared = {}
            self._prepared = (index, prepared)
        found = prepared.get(name)
        if found is not None:
            return found
        if not self.options.dotfiles and is_hidden(name):
            return None
        index_file = self.options.index_file
        if index_file is not None and (redirect := self._redirect(name, index_file)) is not None:
            return redirect
        path = name + index_file if index_file is not None and is_folder(name) else name
        resource = self._find(index, path)
        if resource is None:
            if self.source.is_live(path) and (resource := self.source.look_up(path)) is not None:
                return self._prepare(name, resource)
            # A worker that has started since the deploy may have rendered the name.
            return self.get(name) if self.source.refresh(index) else None
        found = self._prepare(name, resource)
        with self._lock:
            prepared[name] = found
            while len(prepared) > PREPARED_RESOURCES:
                del prepared[next(iter(prepared))]
        return found

    def recall(self, name: str) -> PreparedResource | None:
        """What :meth:`get` gives, if it gave it before and the index is the same; never touches the disk."""
        index, prepared = self._prepared
        return prepared.get(name) if index is not None and self.source.ready() is index else None

    def renew(self, name: str, stale: PreparedResource) -> bool:
        """Whether :meth:`get` gives another resource by now, after a deploy, than one whose file is not as it says."""
        self.source.refresh(self.source.current(), at_once=True)
        found = self.get(name)
        if found is not stale or stale.resource.identity.digest:
            return not (isinstance(found, PreparedResource) and found.resource == stale.resource)
        # Scanned, once: this file is another one now.
        resource = self.source.look_up(stale.resource.path)
        if resource is None or resource == stale.resource:
            return False
        with self._lock:
            self._prepared[1][name] = self._prepare(name, resource)
        return True

    def keeps(self, name: str, resource: PreparedResource) -> bool:
        """Whether :meth:`get` gives this very object the next time."""
        return self._prepared[1].get(name) is resource

    def would_wait(self, name: str) -> bool:
        """Whether :meth:`get` would load an index or look up a name on the disk: work for a thread, under ASGI."""
        if self.source.ready() is None:
            return True
        if name in self._prepared[1]:
            return False
        index_file = self.options.index_file
        names = [name] if index_file is None else [name, name + index_file, f"{name}/{index_file}"]
        # The second for a name that the index lacks; to find out whether it does costs more than asking.
        return any(map(self.source.is_live, names)) or self.source.would_load()

    def _find(self, index: ResourceIndex, name: str) -> Resource | None:
        try:
            return index.get(name)
        except InvalidIndex as error:
            log_once(str(error))
            return None

    def _has(self, name: str) -> bool:
        found = self._find(self.source.current(), name)
        return found is not None or (self.source.is_live(name) and self.source.look_up(name) is not None)

    def _prepare(self, name: str, resource: Resource) -> PreparedResource:
        path = str(self.source.contents().root / resource.identity.file)
        return PreparedResource(resource, self.policy, url=self.prefix + name, path=path)

    def _redirect(self, name: str, index_file: str) -> Redirect | None:
        if is_folder(name):
            return None
        last = name.rpartition("/")[2]
        if last == index_file and self._has(name):
            return Redirect("./")
        if not self._has(name) and self._has(f"{name}/{index_file}"):
            # "./": a segment with a colon would be taken for a scheme (RFC 3986 4.2).
            return Redirect(f"./{quote(last)}/")
        return None


class Origin(NamedTuple):
    """A resource, and the mount and the name that it was found by."""

    mount: Mount
    name: str
    resource: PreparedResource


class Answer(NamedTuple):
    """A plan, and where its content comes from; made per request, so a tuple."""

    plan: Plan
    contents: Contents
    origin: Origin | None = None

    def instead(self, error: ContentUnavailable, asked: Asked) -> Answer | None:
        """What to answer in the place of this one, which could not be opened; ``None``: pass the request on.

        ``asked`` are the arguments of :func:`answer` that gave this one. They are asked again where a newer release has
        the name. Else one line in the log says why this one is not sent; then the answer is 503 if the reason is
        passing, another representation if there is one. May look at the disk: under ASGI, work for a thread.
        """
        if self.origin is None or self.plan.content is None:
            return None
        mount, name, resource = self.origin
        if mount.renew(name, resource):
            return answer(*asked)
        if error.is_passing:
            log_once(f"Answered with 503: {error}. It is tried again; see this process's limits.")
            return Answer(UNAVAILABLE, self.contents)
        is_dropped = mount.keeps(name, resource) and resource.drop(self.plan.content.representation)
        what = "Another representation is sent" if is_dropped else "Passed on to the application"
        log_once(f"{what}: {error}. Run collectstatic.")
        return answer(*asked) if is_dropped else None

    def remembered(self) -> bytes | None:
        """The body, where it is in memory or there is none: nothing has to be opened."""
        return b"" if self.plan.content is None else self.contents.remembered(self.plan.content)

    def open(self) -> bytes | BinaryIO:
        """The body, or a file positioned at its start. Raises :class:`ContentUnavailable`."""
        return b"" if self.plan.content is None else self.contents.open(self.plan.content)

    async def aopen(self) -> bytes | BinaryIO:
        """The same off the event loop, unless the body is in memory."""
        return b"" if self.plan.content is None else await self.contents.aopen(self.plan.content)


class Route:
    """A path that was asked for before: the mount that answers it, and the name there."""

    __slots__ = ("contents", "mount", "name")

    def __init__(self, mount: Mount, name: str) -> None:
        self.mount = mount
        self.name = name
        self.contents = mount.source.contents()

    def recall(self, method: str, fields: Fields) -> tuple[Plan, bytes] | None:
        """The plan and its body, if all that is needed is in memory: what most requests get, and no other pays for."""
        prepared = self.mount.recall(self.name)
        if prepared is None:
            return None
        plan = make_plan(prepared, method, fields)
        if plan.content is None:
            return plan, b""
        body = self.contents.remembered(plan.content)
        return None if body is None else (plan, body)


Candidates = Sequence[tuple[Mount, str]]

#: The arguments of :func:`answer`.
Asked = tuple[Candidates, str, Callable[[], Fields], Callable[[], bytes]]


class Site:
    """Mounts, the latest first: a prefix given twice means the later directory, as with WhiteNoise.

    With a ``security`` policy every mount is there twice, its headers prepared for http and for https.
    """

    def __init__(
        self,
        policy: HeaderPolicy | None = None,
        security: SecurityPolicy | None = None,
        options: MountOptions | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.policy = policy or HeaderPolicy()
        self.security = security
        self.options = options or MountOptions()
        self.memory = memory or Memory()
        self._mounts: list[Mount] = []
        self._secure_mounts: list[Mount] = []
        #: For http and https, by the path without a script name in front of it.
        self.routes: tuple[dict[str, Route], dict[str, Route]] = ({}, {})

    def add(self, prefix: str | None, source: Source) -> None:
        """Serve a source under a prefix."""
        self.routes = ({}, {})
        if self.security is None:
            self._mounts.insert(0, Mount(prefix, source, self.policy, self.options))
            self._secure_mounts = self._mounts
        else:
            policy, secure_policy = (
                self.policy._replace(extra=extra) for extra in (self.security.headers, self.security.secure_headers)
            )
            self._mounts.insert(0, Mount(prefix, source, policy, self.options))
            self._secure_mounts.insert(0, Mount(prefix, source, secure_policy, self.options))

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

    def remember(self, path: str, candidates: Candidates, found: Answer, *, is_secure: bool) -> None:
        """Find a path at once the next time. If the first mount answers it, what others have does not matter."""
        mount, name = candidates[0]
        if found.origin is not None and mount.recall(name) is found.origin.resource:
            routes = self.routes[is_secure]
            if len(routes) >= PREPARED_RESOURCES:
                routes.clear()
            routes[path] = Route(mount, name)

    def would_redirect(self, path: str, *, is_secure: bool) -> bool:
        """Whether the application would answer with a redirect to https."""
        return self.security is not None and self.security.would_redirect(path, is_secure=is_secure)


def would_wait(candidates: Candidates) -> bool:
    """Whether asking them means work for a thread: an index to load, a name to look up on the disk."""
    for mount, name in candidates:  # noqa: SIM110  (any() with a generator takes a microsecond longer)
        if mount.would_wait(name):
            return True
    return False


def answer(
    candidates: Candidates, method: str, fields: Callable[[], Fields], query: Callable[[], bytes]
) -> Answer | None:
    """The answer of the first mount that has the resource; ``None`` if it is somebody else's.

    ``query`` is the request's query without its question mark, as it was sent; a redirect keeps it.
    """
    for mount, name in candidates:
        found = mount.get(name)
        if isinstance(found, Redirect):
            return Answer(make_redirect_plan(found.location, query(), method, mount.policy), mount.source.contents())
        if found is not None:
            plan = make_plan(found, method, fields())
            return Answer(plan, mount.source.contents(), Origin(mount, name, found))
    return None


def is_folder(name: str) -> bool:
    return not name or name.endswith("/")


def is_hidden(name: str) -> bool:
    """Whether a component begins with a dot, ``.well-known`` (RFC 8615) at the start excepted."""
    return f"{name}/".removeprefix(".well-known/").startswith(".") or "/." in name


def normalize_prefix(prefix: str | None) -> str:
    """``static`` to ``/static/``; the empty prefix to ``/``."""
    inner = (prefix or "").strip("/")
    return f"/{inner}/" if inner else "/"
