"""Storages for ``STORAGES["staticfiles"]``: Django's, whose collectstatic also compresses and indexes.

collectstatic ends by writing, in this order, the files and their compressed representations, the index
(``asyncstatic.index``, beside the manifest), and the manifest.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, StaticFilesStorage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage

from django_asyncstatic.codings import CODINGS
from django_asyncstatic.index import INDEX_NAME, TIMES_NAME

if TYPE_CHECKING:
    from django_asyncstatic.collecting.builder import Previous

logger = logging.getLogger("django_asyncstatic")

ProcessedFile = tuple[str, str | None, bool | Exception]


class _IndexingMixin(StaticFilesStorage):
    """Compresses collected files and writes the index.

    Options: ``codings``, tokens out of ``gzip``, ``br`` and ``zstd`` (default: all); ``levels``, a level by
    token where the default is not right; ``index_name``.
    """

    index_name = INDEX_NAME

    def __init__(
        self,
        *args: Any,
        codings: Iterable[str] = tuple(CODINGS),
        levels: Mapping[str, int] | None = None,
        index_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.levels = _levels(codings, levels or {})
        if index_name is not None:
            if "/" in index_name or not index_name:
                raise ImproperlyConfigured(
                    f"index_name is {index_name!r}; it has to be the name of a file, not a path."
                )
            self.index_name = index_name
        super().__init__(*args, **kwargs)

    @property
    def index_storage(self) -> Storage:
        """Where the index is written: beside the manifest, if there is one."""
        return self

    def publish(self, names: Mapping[str, str]) -> Iterator[ProcessedFile]:
        """Compress the files, write the index; ``names`` maps collected names to those that hold their content.

        What is yielded collectstatic reports: a representation each, as having been made now.
        """
        from django_asyncstatic.collecting.builder import build_release
        from django_asyncstatic.collecting.compression import Compression

        release = build_release(
            Path(self.location),
            names,
            Compression(self.levels),
            self._previous(),
            self.write_beside_manifest,
            index_name=self.index_name,
            mode=self.file_permissions_mode,
        )
        for name, reason in release.skipped:
            logger.warning("%r is not in the index and will not be served: %s.", name, reason)
        for file, token in release.made:
            yield file, file + CODINGS[token].suffix, True

    def write_beside_manifest(self, name: str, data: bytes) -> None:
        """Atomically where that storage is a local directory; a remote one has no way to replace a file."""
        storage = self.index_storage
        if isinstance(storage, FileSystemStorage):
            from django_asyncstatic.collecting.atomic import write_atomically

            write_atomically(Path(storage.path(name)), data, storage.file_permissions_mode)
        else:
            storage.delete(name)
            storage.save(name, ContentFile(data))

    def _previous(self) -> Previous:
        from django_asyncstatic.collecting.builder import Previous

        return Previous.load(self._read_beside_manifest(self.index_name), self._read_beside_manifest(TIMES_NAME))

    def _read_beside_manifest(self, name: str) -> bytes | None:
        try:
            with self.index_storage.open(name) as file:
                data: bytes = file.read()
                return data
        except FileNotFoundError:
            return None


class CompressedStaticFilesStorage(_IndexingMixin, StaticFilesStorage):
    """Django's ``StaticFilesStorage`` with compressed representations and an index; names are not hashed."""

    def post_process(self, paths: Mapping[str, Any], dry_run: bool = False, **options: Any) -> Iterator[ProcessedFile]:
        if not dry_run:
            names = [name.replace(os.sep, "/") for name in paths]
            yield from _told(self.publish({name: name for name in names}))


class CompressedManifestStaticFilesStorage(_IndexingMixin, ManifestStaticFilesStorage):  # type: ignore[misc]
    """Django's ``ManifestStaticFilesStorage`` with compressed representations and an index.

    One more option: ``support_js_module_import_aggregation``, Django's class attribute of that name.
    """

    def __init__(self, *args: Any, support_js_module_import_aggregation: bool | None = None, **kwargs: Any) -> None:
        if support_js_module_import_aggregation is not None:
            self.support_js_module_import_aggregation = support_js_module_import_aggregation
        self._published: list[ProcessedFile] = []
        super().__init__(*args, **kwargs)

    @property
    def index_storage(self) -> Storage:
        return cast("Storage", self.manifest_storage)

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        self._published = []
        yield from _told(super().post_process(*args, **kwargs))
        yield from self._published

    def save_manifest(self) -> None:
        """The manifest comes last, so that no template can render a name that the index lacks."""
        self._published = list(self.publish(self.hashed_files))
        paths = sorted(self.hashed_files.items())
        content = ContentFile(json.dumps(paths).encode())
        self.manifest_hash = self.file_hash(None, content)  # type: ignore[assignment, arg-type]
        manifest = {"paths": dict(paths), "version": self.manifest_version, "hash": self.manifest_hash}
        self.write_beside_manifest(self.manifest_name, json.dumps(manifest).encode())


def _told(processed: Iterator[Any]) -> Iterator[Any]:
    """An error of the collect is yielded: collectstatic makes a sentence of it, not a traceback."""
    from django_asyncstatic.collecting.compression import CollectError

    try:
        yield from processed
    except CollectError as error:
        yield INDEX_NAME, None, error


def _levels(codings: Iterable[str], levels: Mapping[str, Any]) -> dict[str, int]:
    """A level for each coding, in the order of the table. Raises ``ImproperlyConfigured``."""
    chosen = [codings] if isinstance(codings, str) else list(codings)
    where = 'STORAGES["staticfiles"]["OPTIONS"]'
    for token in [*chosen, *levels]:
        if token not in CODINGS:
            import difflib  # for an error only: a worker that starts has no use for it

            near = difflib.get_close_matches(str(token), CODINGS, 1, cutoff=0.3)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ImproperlyConfigured(
                f"{where} names the content coding {token!r}. There are {', '.join(map(repr, CODINGS))}{hint}"
            )
    for token, level in levels.items():
        allowed = CODINGS[token].levels
        if not isinstance(level, int) or isinstance(level, bool) or level not in allowed:
            raise ImproperlyConfigured(
                f"{where} sets the level {level!r} for {token!r}; it has to be from {allowed[0]} to {allowed[-1]}."
            )
    return {token: levels.get(token, coding.level) for token, coding in CODINGS.items() if token in chosen}
