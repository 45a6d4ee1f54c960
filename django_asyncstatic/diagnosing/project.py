"""The project that is looked at: what several checks ask for, found out once, when the first asks.

Reads; changes nothing, and remembers no file's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from django_asyncstatic import conf
from django_asyncstatic.index import InvalidIndex, StaticIndex
from django_asyncstatic.sources import Place

if TYPE_CHECKING:
    from django.contrib.staticfiles.finders import BaseFinder
    from django.core.files.storage import Storage

    from django_asyncstatic.collecting.builder import Order
    from django_asyncstatic.collecting.finished import Record
    from django_asyncstatic.collecting.sources import Source
    from django_asyncstatic.diagnosing.interfaces import Interfaces
    from django_asyncstatic.diagnosing.links import Chain


class Found(NamedTuple):
    """A file that a finder found: ``name`` is where collectstatic would put it, below ``STATIC_ROOT``.

    ``path`` is its name in the finder's storage; ``source`` is how the collect reads it, and has its ``file`` where it
    is one on this machine.
    """

    name: str
    path: str
    source: Source
    finder: BaseFinder
    storage: Storage


class Project:
    """One run's view of a project; for its arguments see ``run_checks`` in :mod:`.findings`."""

    def __init__(self, *, deep: bool = False, instantiate: bool = True, url: str | None = None) -> None:
        self.deep = deep
        self.instantiate = instantiate
        self.url = url

    @cached_property
    def place(self) -> Place:
        """Where the collected files and their index are. Raises ``ImproperlyConfigured``."""
        return conf.place()

    @cached_property
    def index(self) -> StaticIndex | None:
        """The index, if it can be used; why it cannot is for one check to say."""
        try:
            return load_index(self.place)
        except (OSError, InvalidIndex, ImproperlyConfigured):
            return None

    @cached_property
    def found(self) -> list[Found]:
        """Every file of every finder, in the order of collectstatic: of equal names the first is collected."""
        from django.apps import apps
        from django.contrib.staticfiles.finders import get_finders

        from django_asyncstatic.storage import source_of

        config: Any = apps.get_app_config("staticfiles")
        found = []
        for finder in get_finders():
            for path, storage in finder.list(config.ignore_patterns):
                prefix = getattr(storage, "prefix", None)
                name = f"{prefix}/{path}" if prefix else path
                source = source_of(name, storage, path)
                found.append(Found(source.name, path, source, finder, storage))
        return found

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """What collectstatic would collect, by name."""
        first: dict[str, Source] = {}
        for each in self.found:
            first.setdefault(each.name, each.source)
        return first

    @cached_property
    def order(self) -> Order | None:
        """What collectstatic would be told to do; ``None`` with a storage that is not one of ours.

        Raises ``ImproperlyConfigured`` for a storage whose options are wrong.
        """
        if not conf.makes_index() or self.place.root is None:
            return None
        first = {each.name: (each.storage, each.path) for each in reversed(self.found)}
        storage = conf.unread_storage()[1]
        with conf.urls_not_fixed():
            order: Order = storage.order(first)
        return order

    @cached_property
    def records(self) -> Mapping[str, Record]:
        """What the last collect remembered of its sources, by name: digests, references, published names.

        A record is of a source as it is now if its ``signature`` is the second value of ``source.look()``.
        """
        from django_asyncstatic.collecting.builder import remembered

        return {} if self.order is None else remembered(self.order).records

    @cached_property
    def interfaces(self) -> Interfaces:
        """The entry modules, and whether they say that ASGI serves the site."""
        from django_asyncstatic.diagnosing.interfaces import Interfaces

        return Interfaces()

    @cached_property
    def chain(self) -> Chain:
        """The middleware, constructed once, for the interface that serves the site."""
        from django_asyncstatic.diagnosing.links import walk_chain

        return walk_chain(is_async=bool(self.interfaces.asgi_evidence), instantiate=self.instantiate)


def load_index(place: Place) -> StaticIndex:
    """The index of a place, its lines compared with their checksum. Raises ``OSError`` and :class:`InvalidIndex`."""
    if place.index_file is None:
        raise FileNotFoundError("There is no index.")
    index = StaticIndex.load(place.index_file)
    if not index.is_intact:
        raise InvalidIndex(f"The index {place.index_file} has other lines than were written: it was damaged or edited.")
    return index
