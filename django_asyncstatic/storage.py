"""Storages for ``STORAGES["staticfiles"]``: Django's, whose collectstatic also compresses and indexes.

They translate between Django and :mod:`django_asyncstatic.collecting`, which does the work. What a worker that serves
needs of this module is little, so everything that only collecting needs is imported when it collects.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from django.contrib.staticfiles.storage import HashedFilesMixin, ManifestStaticFilesStorage, StaticFilesStorage
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage

from django_asyncstatic import conf, options
from django_asyncstatic.index import INDEX_NAME, TIMES_NAME

if TYPE_CHECKING:
    from django_asyncstatic.collecting.atomic import Destination
    from django_asyncstatic.collecting.builder import Order, Report
    from django_asyncstatic.collecting.cleaning import Cleaning
    from django_asyncstatic.collecting.compression import Compression
    from django_asyncstatic.collecting.inspecting import Inspection
    from django_asyncstatic.collecting.releases import Retention
    from django_asyncstatic.collecting.sources import Source
    from django_asyncstatic.collecting.survey import Search

__all__ = ["CompressedManifestStaticFilesStorage", "CompressedStaticFilesStorage", "UncollectedStaticFilesStorage"]

#: Wrong names of a process for which a right one is looked for, and right ones that each is compared with, which takes
#: ten milliseconds: a project may catch this error in its requests.
_COMPARED = 100


class _IndexingMixin(StaticFilesStorage):
    """Compresses collected files and writes the index. The options are described in docs/storage.rst."""

    option_table: Mapping[str, options.Option] = options.STORAGE
    index_name = INDEX_NAME

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        chosen, kwargs = options.take(self.option_table, kwargs)
        self.chosen = chosen
        if chosen["index_name"] is not None:
            self.index_name = chosen["index_name"]
        self.levels: dict[str, int] = options.levels(chosen["codings"], chosen["levels"])
        self.rehearsal = conf.rehearsal()
        if self.rehearsal is not None:
            # The codings are production's; a page is not to wait for the last byte, nor production's cache to be used.
            self.levels = dict.fromkeys(self.levels, 1)
            chosen.update(cache_dir=None, zopfli=0)
            kwargs = {**kwargs, "location": self.rehearsal.directory}
            kwargs.pop("manifest_storage", None)
        super().__init__(*args, **kwargs)

    @property
    def index_storage(self) -> Storage:
        """Where the index is written: beside the manifest, if there is one."""
        return self

    def collect(
        self,
        paths: Mapping[str, tuple[Storage, str]],
        *,
        dry_run: bool = False,
        places: bool = False,
        links: bool = False,
        publishes: bool = True,
        previous: Sequence[str | os.PathLike[str]] = (),
        left_out: Sequence[str] = (),
        start: Callable[[int], None] = lambda count: None,
        advance: Callable[[], None] = lambda: None,
    ) -> Report:
        """Collect the files that finders found, by the name they are collected under.

        With ``places`` the plain files are written too, as symbolic links with ``links``; without it somebody else
        has written them. Without ``publishes`` that is all. ``previous`` are roots of earlier collects, whose
        releases are taken over, ``left_out`` the patterns that finders were told to ignore. Raises ``CollectError``:
        then nothing was published.
        """
        from django_asyncstatic.collecting import builder
        from django_asyncstatic.collecting.atomic import CollectError

        for missing in options.lacking(self.levels):
            raise CollectError(missing)
        return builder.collect(
            self.order(
                paths,
                dry_run=dry_run,
                places=places,
                links=links,
                publishes=publishes,
                previous=[Path(each) for each in previous],
                left_out=left_out,
                start=start,
                advance=advance,
            )
        )

    @property
    def reserved_names(self) -> frozenset[str]:
        """Of the files that collecting itself writes beside the manifest."""
        manifest_name: str = getattr(self, "manifest_name", "staticfiles.json")
        return frozenset({self.index_name, TIMES_NAME, manifest_name})

    def clean(self, *, orphans: bool = False, spared: Iterable[str] = (), dry_run: bool = False) -> Cleaning:
        """Remove the releases that the options do not keep, and files that no collect recorded with ``orphans``.

        ``spared`` are names of such files that stay. Raises ``CollectError``, ``OSError``.
        """
        from django_asyncstatic.collecting.cleaning import clean

        return clean(
            self.destination(),
            self.retention(),
            index_name=self.index_name,
            read_beside_manifest=self.read_beside_manifest,
            write_beside_manifest=self.write_beside_manifest,
            private=self.reserved_names | frozenset(spared),
            orphans=orphans,
            dry_run=dry_run,
        )

    def destination(self) -> Destination:
        from django_asyncstatic.collecting.atomic import Destination

        return Destination(Path(self.path("")), self.file_permissions_mode, self.directory_permissions_mode)

    def order(self, paths: Mapping[str, tuple[Storage, str]], **more: Any) -> Order:
        """What :func:`django_asyncstatic.collecting.builder.collect` is to do."""
        from django_asyncstatic.collecting.builder import Order

        cache = self.chosen["cache_dir"]
        return Order(
            destination=self.destination(),
            sources=[source_of(name, storage, path) for name, (storage, path) in paths.items()],
            compression=self.compression(),
            index_name=self.index_name,
            read_beside_manifest=self.read_beside_manifest,
            write_beside_manifest=self.write_beside_manifest,
            save_manifest=self.publish_names,
            reserved=self.reserved_names,
            retention=self.retention(),
            cache_directory=None if cache is None else Path(cache),
            inspection=self.inspection(),
            **more,
        )

    def compression(self) -> Compression:
        from django_asyncstatic.collecting.compression import Compression

        skipped = frozenset(each.lower().lstrip(".") for each in self.chosen["skip_compress_extensions"])
        return Compression(self.levels, skipped, self.chosen["zopfli"])

    def retention(self) -> Retention:
        """Which releases stay when ``cleanstatic`` removes the others."""
        from django_asyncstatic.collecting.releases import Retention

        return Retention(self.chosen["keep_releases"], options.seconds(self.chosen["keep_age"]))

    def inspection(self) -> Inspection:
        """What a collect notes of its sources for ``checkstatic``."""
        from django_asyncstatic.collecting.inspecting import Inspection

        return Inspection(conf.inspection_rules(), _disclosed)

    def publish_names(self, names: Mapping[str, str], before_write: Callable[[], None]) -> None:
        """Write what templates take their names from, if it says something new; nothing, where names are not hashed."""

    def post_process(
        self,
        paths: Mapping[str, tuple[Storage, str]],
        dry_run: bool = False,
        *,
        report_to: Callable[[Report], None] = lambda report: None,
        **collect_options: Any,
    ) -> Iterator[Any]:
        """What Django's ``collectstatic`` calls, and ours, which gives more options: those of :meth:`collect`.

        Everything is done when the first name is yielded. An error is yielded, as Django's command wants it.
        """
        from django_asyncstatic.collecting.atomic import CollectError

        if self.rehearsal is not None:
            from django.core.management import CommandError

            yield "static files", None, CommandError("ASYNCSTATIC_REHEARSAL is on: turn it off to collect.")
            return
        ours = {key: value for key, value in collect_options.items() if key in _COLLECT_OPTIONS}
        try:
            report = self.collect(paths, dry_run=dry_run, **ours)
        except CollectError as error:
            from django.core.management import CommandError

            # Django 5.2 raises what is yielded, and this is what it makes a sentence of instead of a traceback.
            yield "static files", None, CommandError(str(error))
            return
        report_to(report)
        if not ours:
            _log(report)
        if not dry_run:
            for name, published in report.names.items():
                yield name, published, name in report.changed

    def write_beside_manifest(self, name: str, data: bytes) -> None:
        """Atomically where that storage is a local directory; a remote one has no way to replace a file."""
        storage = self.index_storage
        if isinstance(storage, FileSystemStorage):
            from django_asyncstatic.collecting.atomic import write_atomically

            write_atomically(
                Path(storage.path(name)), data, storage.file_permissions_mode, storage.directory_permissions_mode
            )
        else:
            storage.delete(name)
            storage.save(name, ContentFile(data))

    def read_beside_manifest(self, name: str) -> bytes | None:
        try:
            with self.index_storage.open(name) as file:
                data: bytes = file.read()
                return data
        except FileNotFoundError:
            return None


class CompressedStaticFilesStorage(_IndexingMixin, StaticFilesStorage):
    """Django's ``StaticFilesStorage`` with compressed representations and an index; names are not hashed."""


class CompressedManifestStaticFilesStorage(_IndexingMixin, ManifestStaticFilesStorage):
    """Django's ``ManifestStaticFilesStorage`` with compressed representations and an index."""

    option_table = options.MANIFEST_STORAGE
    #: The number of the rehearsal that ``hashed_files`` are of.
    _rehearsed = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for name in ("support_js_module_import_aggregation", "manifest_strict", "manifest_name"):
            value = options.peek(self.option_table, kwargs, name)
            if value is not None:
                setattr(self, name, value)
        #: What is near names that are none.
        self._near: dict[str, str] = {}
        self._before_write: Callable[[], None] = lambda: None
        super().__init__(*args, **kwargs)

    @property
    def index_storage(self) -> Storage:
        return cast("Storage", self.manifest_storage)

    def url(self, name: str, force: bool = False) -> str:  # type: ignore[override]
        """Django's: the plain name with DEBUG, unless ``force``; in a rehearsal the hashed one, as in production."""
        if self.rehearsal is None:
            try:
                return super().url(name, force)
            except ValueError as error:
                raise ValueError(f"{error}.{self._advice(name)}") from None
        if (number := self.rehearsal.refresh()) != self._rehearsed:
            self.hashed_files, self.manifest_hash = cast("Any", self.load_manifest())
            self._rehearsed = number
        try:
            return super().url(name, force=True)
        except ValueError as error:
            from django_asyncstatic.development import did_you_mean

            raise ValueError(f"{error}.{did_you_mean(name, self.hashed_files)}") from None

    def _advice(self, name: str) -> str:
        """What to do about a name that the manifest lacks."""
        if not self.hashed_files:
            return f" There is no {self.manifest_name}, or nothing in it: run manage.py collectstatic."
        if name not in self._near and len(self._near) < _COMPARED:
            from django_asyncstatic.development import did_you_mean

            self._near[name] = did_you_mean(name, self.hashed_files, _COMPARED)
        return f"{self._near.get(name, '')} If the file is new, run manage.py collectstatic."

    def search(self) -> Search:
        """Where references are looked for."""
        from django_asyncstatic.collecting.survey import Search

        has_own_patterns = type(self).patterns is not HashedFilesMixin.patterns
        return Search(
            modules=bool(self.support_js_module_import_aggregation),
            patterns=self.patterns if has_own_patterns else None,
            ignored=tuple(self.chosen["ignore_errors"]),
        )

    def order(self, paths: Mapping[str, tuple[Storage, str]], **more: Any) -> Order:
        cls = type(self)
        # A subclass may make names from anything, so only by Django's own rules an earlier name is known to hold.
        has_own_names = (
            cls.file_hash is not HashedFilesMixin.file_hash or cls.hashed_name is not HashedFilesMixin.hashed_name
        )
        return super().order(
            paths,
            hash_name=self._hash_name,
            naming="" if has_own_names else "django",
            search=self.search(),
            static_path=str(self.base_url),
            keeps_plain=not self.chosen["keep_only_hashed_files"],
            **more,
        )

    def _hash_name(self, name: str, file: BinaryIO) -> str:
        hashed: str = self.clean_name(self.hashed_name(name, File(file)))
        return hashed

    def publish_names(self, names: Mapping[str, str], before_write: Callable[[], None]) -> None:
        self.hashed_files = {self.hash_key(self.clean_name(name)): hashed for name, hashed in names.items()}
        self._before_write = before_write
        self.save_manifest()

    def save_manifest(self) -> None:
        """Django's manifest, replaced atomically, and only when it says something new."""
        paths = sorted(self.hashed_files.items())
        content = ContentFile(json.dumps(paths).encode())
        self.manifest_hash = self.file_hash(None, content)  # type: ignore[assignment, arg-type]
        manifest = {"paths": dict(paths), "version": self.manifest_version, "hash": self.manifest_hash}
        data = json.dumps(manifest).encode()
        if self.read_beside_manifest(self.manifest_name) != data:
            self._before_write()
            self.write_beside_manifest(self.manifest_name, data)


class UncollectedStaticFilesStorage(StaticFilesStorage):
    """For tests, and for who wants to know early: plain names, each of which a finder has to have.

    Nothing is collected, scanned or read; the first time that a name is asked for, the finders look for it. Options of
    the other storages are taken, so that only ``BACKEND`` has to change, and mean nothing.
    """

    #: Static files are served as the finders have them.
    is_uncollected = True
    option_table = options.MANIFEST_STORAGE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _, kwargs = options.take(self.option_table, kwargs)
        kwargs.pop("manifest_storage", None)
        super().__init__(*args, **kwargs)

    def url(self, name: str | None) -> str:
        """Raises ``ValueError``, as Django's manifest storage does, for a name that no finder has."""
        from django_asyncstatic import development

        path = unquote(urlsplit(name or "").path).strip()
        if not path.endswith("/") and path and not development.has(path):
            raise ValueError(development.explain(path))
        return super().url(name)


_COLLECT_OPTIONS = frozenset({"places", "links", "previous", "left_out", "start", "advance"})


def source_name(storage: Storage, path: str) -> str:
    """The name under which a finder's file is collected: its path in the storage, below the storage's prefix.

    That of the path ``""`` is what the names of all of its files begin with.
    """
    prefix = getattr(storage, "prefix", None)
    return (f"{prefix}/{path}" if prefix else path).replace(os.sep, "/")


def source_of(name: str, storage: Storage, path: str) -> Source:
    """A finder's file, as the collect reads it."""
    from django_asyncstatic.collecting.sources import Source

    name = name.replace(os.sep, "/")
    # storage.path() takes ten times as long, and finders give names that they found below the location.
    storage_class: Any = type(storage)
    if opens_plainly(storage_class):
        return Source(name, os.path.join(storage.location, path))  # type: ignore[attr-defined]
    return Source(name, None, lambda: storage.open(path))


@cache
def opens_plainly(storage_class: Any) -> bool:
    """Whether a storage's files are those on the disk: a subclass that opens them itself may give other bytes."""
    plain: Any = FileSystemStorage
    return issubclass(storage_class, plain) and (storage_class.open, storage_class._open) == (plain.open, plain._open)


def _disclosed(source: Source) -> list[Any] | None:
    from django_asyncstatic.diagnosing.disclosures import disclosed_by

    return disclosed_by(source)


def _log(report: Report) -> None:
    """Tell what Django's own command would not."""
    import logging

    logger = logging.getLogger("django_asyncstatic")
    for name, reason in report.unindexable:
        logger.warning("%r is not in the index and will not be served: %s. Rename it.", name, reason)
    for warning in report.warnings:
        logger.warning("%s", warning)
