"""What is served against what was collected: the index, the files on the disk, the manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from django.conf import settings

from django_asyncstatic import conf
from django_asyncstatic.codings import CODINGS
from django_asyncstatic.diagnosing.findings import Finding, check
from django_asyncstatic.diagnosing.findings import Place as At
from django_asyncstatic.diagnosing.project import Project, load_index
from django_asyncstatic.index import (
    DIGEST_DIGITS,
    InvalidIndex,
    Representation,
    Resource,
)
from django_asyncstatic.live import ScannedIndex
from django_asyncstatic.sources import Place

COLLECT = "Run manage.py collectstatic."
COLLECT_AGAIN = "Run manage.py collectstatic again, and do not change collected files by hand."


@check(
    "drift",
    E001="there is no index, or it cannot be used",
    E014="STATIC_ROOT is not where collected files can be",
    W044="a name in STATIC_ROOT cannot be served",
    W049="the storage writes no index",
)
def check_index(project: Project) -> Iterator[Finding]:
    """E001, E014, W044, W049: whether there is an index, and if not, what is served without it."""
    place = project.place
    if place.root is None:
        if not settings.STATIC_ROOT:
            yield Finding("asyncstatic.E014", "STATIC_ROOT is not set.", "Set it to where collectstatic may write.")
        else:
            yield Finding("asyncstatic.W049", "No static file is served by this app.", place.hint)
        return
    if not place.root.is_dir():
        what = "is not a directory" if place.root.exists() else "does not exist"
        yield Finding("asyncstatic.E014", f"STATIC_ROOT {what}.", COLLECT, At(str(place.root)))
        return
    try:
        load_index(place)
    except FileNotFoundError:
        yield from _without_index(place)
    except (OSError, InvalidIndex) as error:
        yield Finding("asyncstatic.E001", str(error), COLLECT, At(str(place.index_file)))


def _without_index(place: Place) -> Iterator[Finding]:
    root, backend = place.root, conf.storage_backend()
    assert root is not None
    if conf.makes_index() and place.index_file is None:
        yield Finding(
            "asyncstatic.E001", f"The index for {root} cannot be reached: it is scanned at start.", place.hint
        )
    elif conf.makes_index():
        yield Finding("asyncstatic.E001", f"There is no index for {root}: it is scanned at start.", COLLECT)
    else:
        yield Finding(
            "asyncstatic.W049",
            f"{backend} writes no index: {root} is scanned at start, nothing is compressed, entity tags are weak.",
            'Set STORAGES["staticfiles"]["BACKEND"] to "django_asyncstatic.storage.'
            'CompressedManifestStaticFilesStorage" and run collectstatic.',
        )
    try:
        for skipped in ScannedIndex(root, private=place.private).skipped:
            yield Finding(
                "asyncstatic.W044",
                f"{skipped.name!r} is not served: {skipped.reason}.",
                "Remove it from STATIC_ROOT, or mend it.",
                At(ascii(str(root / skipped.name))[1:-1]),
            )
    except OSError as error:
        yield Finding("asyncstatic.E014", f"STATIC_ROOT cannot be listed: {error.strerror}.", "Mend its permissions.")


@check(
    "drift",
    E002="a collected file is gone or has other bytes",
    E003="a compressed representation is gone or has other bytes",
)
def check_files(project: Project) -> Iterator[Finding]:
    """E002, E003: the index against the disk. Every file is read, every representation decoded."""
    place = project.place
    index = project.index
    if index is None or place.root is None:
        return
    seen = set()
    for path in index:
        resource = index.get(path)
        if resource is None:
            yield Finding("asyncstatic.E001", f"{path!r} stands in the index for a name that does not.", COLLECT)
        elif resource.identity.file not in seen:  # names that share a file are looked at once
            seen.add(resource.identity.file)
            yield from _check_resource(place.root, resource)


def _check_resource(root: Path, resource: Resource) -> Iterator[Finding]:
    identity, *coded = resource.representations
    data, fault = _read(root, identity)
    if fault:
        yield Finding("asyncstatic.E002", f"{identity.file} {fault}.", COLLECT_AGAIN, At(str(root / identity.file)))
        return
    for representation in coded:
        coded_data, fault = _read(root, representation)
        if not fault and coded_data is not None:
            try:
                if CODINGS[representation.coding or ""].decode(coded_data) != data:
                    fault = f"does not decode to the bytes of {identity.file}"
            except ValueError as error:
                fault = f"cannot be decoded ({error})"
        if fault:
            place = At(str(root / representation.file))
            yield Finding("asyncstatic.E003", f"{representation.file} {fault}.", COLLECT_AGAIN, place)


def _read(root: Path, representation: Representation) -> tuple[bytes | None, str]:
    """The bytes, or what is wrong with them."""
    try:
        data = (root / representation.file).read_bytes()
    except FileNotFoundError:
        return None, "is gone"
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"
    if len(data) != representation.size:
        return None, f"has {len(data)} bytes, the index says {representation.size}"
    if sha256(data).hexdigest()[:DIGEST_DIGITS] != representation.digest:
        return None, "has other bytes than the index says"
    return data, ""


@check("drift", E005="the index and the manifest are of different collects")
def check_manifest(project: Project) -> Iterator[Finding]:
    """E005: the index against Django's manifest, from which templates take their names."""
    place = project.place
    index = project.index
    if index is None or place.index_file is None:
        return
    manifest_name = conf.manifest_name()
    if manifest_name is None:
        return
    manifest = place.index_file.with_name(manifest_name)
    try:
        names: dict[str, str] = json.loads(manifest.read_bytes())["paths"]
    except FileNotFoundError:
        yield Finding("asyncstatic.E005", "There is an index and no manifest.", COLLECT, At(str(manifest)))
        return
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield Finding("asyncstatic.E005", f"The manifest cannot be read: {error!r}.", COLLECT, At(str(manifest)))
        return
    for name, hashed in names.items():
        resource = index.get(name)
        is_answered = resource is not None and (resource.identity.file == hashed or resource.immutable)
        if index.get(hashed) is None or not is_answered:
            yield Finding(
                "asyncstatic.E005",
                f"The manifest maps {name} to {hashed}, the index does not: they are of different collects.",
                COLLECT,
                At(str(manifest)),
            )
    for path in index:
        resource = index.get(path)
        if resource is not None and not resource.immutable and resource.release is None and path not in names:
            yield Finding(
                "asyncstatic.E005",
                f"The index has {path}, the manifest does not: they are of different collects.",
                COLLECT,
                At(str(manifest)),
            )
