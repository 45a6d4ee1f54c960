"""The project that is looked at: what several checks ask for, found out once, when the first asks.

Reads; changes nothing, and remembers no file's bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from django.core.exceptions import ImproperlyConfigured

from django_asyncstatic import conf
from django_asyncstatic.diagnosing.collected import Collected, read_lines
from django_asyncstatic.diagnosing.finders import Found, Look, list_files
from django_asyncstatic.diagnosing.listing import Listing, begin_walk, list_static_root
from django_asyncstatic.index import InvalidIndex, StaticIndex
from django_asyncstatic.sources import Place

if TYPE_CHECKING:
    from django.contrib.staticfiles.finders import BaseFinder

    from django_asyncstatic.collecting.builder import Order
    from django_asyncstatic.collecting.finished import Record, State
    from django_asyncstatic.collecting.sources import Source
    from django_asyncstatic.diagnosing.beside import Walk
    from django_asyncstatic.diagnosing.disclosures import Disclosed
    from django_asyncstatic.diagnosing.interfaces import Interfaces
    from django_asyncstatic.diagnosing.links import Chain


T = TypeVar("T")


class Progress(Protocol):
    """Gives the items back one by one, and may tell somebody how far it is; ``what`` they are, in a word or two."""

    def __call__(self, items: Sequence[T], what: str) -> Iterable[T]: ...


def tell_nobody(items: Sequence[T], what: str) -> Iterable[T]:
    return items


class Project:
    """One run's view of a project; for its arguments see ``run_checks`` in :mod:`.findings`.

    A check that takes long over many things passes them through ``progress``.
    """

    def __init__(
        self,
        *,
        deep: bool = False,
        instantiate: bool = True,
        url: str | None = None,
        progress: Progress = tell_nobody,
    ) -> None:
        self.deep = deep
        self.instantiate = instantiate
        self.url = url
        self.progress = progress
        self._walk: Walk | None = None
        #: Directories of finders that are links; complete when ``found`` is.
        self.linked_folders: set[str] = set()

    @cached_property
    def place(self) -> Place:
        """Where the collected files and their index are; nowhere if :attr:`served_instead` says so.

        Raises ``ImproperlyConfigured``.
        """
        return Place(None, None) if self.served_instead else conf.place()

    @property
    def served_instead(self) -> str:
        """What is served in the place of what was collected, as a sentence; empty if that is served."""
        if conf.setting("ASYNCSTATIC_REHEARSAL"):
            return (
                "ASYNCSTATIC_REHEARSAL is on: what a collect would publish is made of the sources when it is asked for"
            )
        if conf.is_uncollected():
            return (
                "UncollectedStaticFilesStorage serves the sources as the finders have them, under plain names, and"
                " nothing compressed"
            )
        return ""

    @property
    def index(self) -> StaticIndex | None:
        """The index, if it can be used; why it cannot is for one check to say."""
        return self._read_index[0]

    @property
    def index_error(self) -> Exception | None:
        """Why the index cannot be used: ``FileNotFoundError`` where there is none."""
        return self._read_index[2]

    @property
    def collected(self) -> Collected:
        """What the index says; nothing, where it cannot be used."""
        return self._read_index[1]

    @cached_property
    def _read_index(self) -> tuple[StaticIndex | None, Collected, Exception | None]:
        try:
            index = load_index(self.place)
            return index, read_lines(index), None
        except (OSError, ValueError, RecursionError, ImproperlyConfigured) as error:
            return None, Collected({}, {}), error

    @property
    def found(self) -> list[Found]:
        """Every file of every finder, in the order of collectstatic: of equal names the first is collected."""
        return self._listed[0]

    @property
    def unlisted(self) -> list[tuple[BaseFinder, OSError]]:
        """Finders that stopped at something that they could not list, with what it was."""
        return self._listed[1]

    @cached_property
    def _listed(self) -> tuple[list[Found], list[tuple[BaseFinder, OSError]]]:
        from django.apps import apps
        from django.contrib.staticfiles.finders import get_finders

        config: Any = apps.get_app_config("staticfiles")
        found: list[Found] = []
        unlisted = []
        for finder in get_finders():
            try:
                found.extend(list_files(finder, config.ignore_patterns, self.linked_folders))
            except OSError as error:  # what came before it is there
                unlisted.append((finder, error))
        return found, unlisted

    @cached_property
    def sources(self) -> Mapping[str, Source]:
        """What collectstatic would collect, by name."""
        first: dict[str, Source] = {}
        for each in self.found:
            first.setdefault(each.name, each.source)
        return first

    @cached_property
    def looks(self) -> Mapping[str, Look]:
        """What the file system says of each source that is a file on this machine, by name."""
        first: dict[str, Look] = {}
        for each in self.found:
            if each.look is not None and self.sources[each.name] is each.source:
                first[each.name] = each.look
        return first

    @cached_property
    def changed(self) -> frozenset[str]:
        """The sources that are not known to be as the last collect saw them."""
        from django_asyncstatic.collecting.sources import signature_of

        records, looks = self.records, self.looks
        unchanged = {
            name
            for name, (found, *_) in looks.items()
            if found is not None and name in records and records[name].signature == signature_of(found)
        }
        return frozenset(self.sources.keys() - unchanged)

    @cached_property
    def listing(self) -> Listing:
        """What lies below ``STATIC_ROOT``, each file looked at once."""
        return list_static_root(self, self._walk)

    def look_ahead(self) -> None:
        """Begin with what takes longest, a walk through STATIC_ROOT, beside what is looked at before it is asked for.

        Whoever does so calls :meth:`end` when the project was looked at.
        """
        with suppress(Exception):  # what is wrong is for the checks to say: here it would stop them
            self._walk = begin_walk(self)

    def end(self) -> None:
        if self._walk is not None:
            self._walk.end()

    @cached_property
    def order(self) -> Order | None:
        """What collectstatic would be told to do, but for the sources; ``None`` with a storage that is not one of ours.

        Raises ``ImproperlyConfigured`` for a storage whose options are wrong.
        """
        if not conf.makes_index() or self.place.root is None:
            return None
        storage = conf.unread_storage()[1]
        with conf.urls_not_fixed():
            order: Order = storage.order({})
        return order

    @cached_property
    def state(self) -> State:
        """What the last collect remembered; an empty one with a storage that is not one of ours."""
        from django_asyncstatic.collecting.builder import remembered
        from django_asyncstatic.collecting.finished import State

        return State({}) if self.order is None else remembered(self.order)

    @property
    def records(self) -> Mapping[str, Record]:
        """What the last collect remembered of its sources, by name: digests, references, published names.

        A record is of a source as it is now if its ``signature`` is the second value of ``source.look()``.
        """
        return self.state.records

    @cached_property
    def disclosed(self) -> Mapping[str, Disclosed] | None:
        """What the last collect saw disclosed in its sources, by name, those only that disclose something or may.

        It holds of sources that have not changed since. ``None``: the collect did not look, or by other rules.
        """
        from django_asyncstatic.diagnosing.disclosures import Disclosed

        inspected = self.state.inspected
        if inspected.get("rules") != conf.inspection_rules():
            return None
        try:
            return {name: Disclosed.from_json(noted) for name, noted in inspected["found"].items()}
        except (ValueError, TypeError):  # somebody has edited it
            return None

    @cached_property
    def is_remembered(self) -> bool:
        """Whether what is remembered is of the very collect that wrote the index."""
        written = self.state.outcome.get("written")
        if self.index is None or self.place.index_file is None or not isinstance(written, list):
            return False
        try:
            return bool(written[0] == sha256(self.place.index_file.read_bytes()).hexdigest())
        except OSError:
            return False

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
        raise InvalidIndex(
            f"The index {place.index_file} has other lines than were written: it was damaged or edited."
            " Run collectstatic again."
        )
    return index
