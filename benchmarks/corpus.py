#!/usr/bin/env python
"""Source files for collectstatic, of any number: those of installed packages, copied until there are enough.

    python benchmarks/corpus.py DIRECTORY --files 10000 [--packages SITE-PACKAGES ...]

Each copy is one of whole ``static`` directories, so that references resolve inside it, and ends with a line that
tells its number, so that no two files are the same; but five in a hundred repeat the first copy. What makes one
of the storages fail in a project of its own (a source map that is not shipped, CSS that is not UTF-8) is left
out, with what refers to it. The same packages give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tables import format_table

__all__ = ["Corpus", "admin_corpus", "large_corpus", "make_corpus"]

#: Files above this are left out, or so much below it that the mean of what stays is ``MEAN``.
LARGEST = 100_000
MEAN = 5_000

#: But so many above LARGEST are taken once, when there are at least so many files.
FEW, FEW_LARGEST, FEW_FROM = 5, 500_000, 1_000

#: One copied file in so many repeats the first copy.
REPEATED = 20

#: What a copy's number is written as, by suffix. What is not here and not in BINARY is left out.
MARKS = {
    ".css": "\n/* copy {} */\n",
    ".js": "\n/* copy {} */\n",
    ".mjs": "\n/* copy {} */\n",
    **dict.fromkeys((".htm", ".html", ".md", ".svg", ".xml"), "\n<!-- copy {} -->\n"),
    **dict.fromkeys(("", ".csv", ".less", ".scss", ".ts", ".txt"), "\ncopy {}\n"),
}
BLANK_MARKED = {".json", ".map", ".webmanifest"}  # as many spaces
BINARY = {
    *(".avif", ".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".png", ".webp"),
    *(".eot", ".otf", ".ttf", ".woff", ".woff2"),
}

#: A file with one of these may refer to another.
REFERENCE = re.compile(rb"url\(|@import|sourceMappingURL|\b(?:import|from)\b\s*[(\"'{*]")

#: The storages that a corpus must not fail in, with the package that each needs.
STORAGES = {
    "django.contrib.staticfiles.storage.ManifestStaticFilesStorage": "django",
    "django_manifeststaticfiles_enhanced.storage.EnhancedManifestStaticFilesStorage": (
        "django_manifeststaticfiles_enhanced"
    ),
}

#: Run in a process of its own: the names below a directory that a storage cannot process, as JSON.
FAILING = """
import json, os, shutil, sys, warnings
from importlib.util import find_spec
root, target, storage, package = sys.argv[1:]
warnings.simplefilter("ignore")
failing = set()
if find_spec(package):
    from django.conf import settings
    settings.configure(STATIC_URL="static/", STATIC_ROOT=target)
    import django
    django.setup()
    from django.core.files.storage import FileSystemStorage
    from django.utils.module_loading import import_string
    source = FileSystemStorage(root)
    shutil.copytree(root, target)
    names = [os.path.relpath(os.path.join(d, f), root) for d, _, files in os.walk(root) for f in files]
    for name, _, processed in import_string(storage)().post_process({name: (source, name) for name in sorted(names)}):
        if isinstance(processed, Exception):
            failing.update(name.split(", "))
print(json.dumps(sorted(failing)))
"""


@dataclass(frozen=True)
class Corpus:
    """A directory of source files; ``left_out`` are those of the packages that a storage failed in."""

    root: Path
    left_out: tuple[str, ...] = field(default=())

    def files(self) -> list[str]:
        return sorted(os.path.join(folder, name) for folder, _, names in os.walk(self.root) for name in names)

    def set_times(self, seconds: float) -> None:
        for file in self.files():
            os.utime(file, (seconds, seconds))

    def describe(self) -> str:
        """What it is made of: by suffix, with what is the same."""
        count: Counter[str] = Counter()
        size: Counter[str] = Counter()
        distinct, whole = set(), hashlib.sha256()
        for file in self.files():
            data = Path(file).read_bytes()
            digest = hashlib.sha256(data).digest()
            whole.update(os.path.relpath(file, self.root).encode() + digest)
            distinct.add(digest)
            suffix = os.path.splitext(file)[1].lower()
            count[suffix] += 1
            size[suffix] += len(data)
        rows = [[suffix or "(none)", f"{n:,}", f"{size[suffix] / 1e6:.2f}"] for suffix, n in count.most_common(10)]
        rest = [suffix for suffix, _ in count.most_common()[10:]]
        if rest:
            rows.append(
                [f"{len(rest)} more", f"{sum(count[s] for s in rest):,}", f"{sum(size[s] for s in rest) / 1e6:.2f}"]
            )
        rows.append(["all", f"{count.total():,}", f"{size.total() / 1e6:.2f}"])
        return (
            format_table(["suffix", "files", "MB"], rows)
            + f"\n{len(distinct):,} distinct contents, sha256 of all {whole.hexdigest()[:12]}"
        )


@dataclass(frozen=True)
class Package:
    """What is taken of a package's ``static`` directory: contents by name, and which of them refer to nothing."""

    label: str
    contents: dict[str, bytes]
    leaves: tuple[str, ...]


def make_corpus(directory: Path, files: int, packages: Sequence[Path] = ()) -> Corpus:
    """So many files in a new directory, out of the packages in these (default: all that Python imports from)."""
    found, few, left_out = _packages(packages or [Path(entry) for entry in sys.path if "-packages" in entry])
    if not found:
        raise SystemExit("None of the packages has a directory of static files.")
    written = 0

    def write(package: Package, names: Sequence[str], copy: int) -> None:
        nonlocal written
        for name in names:
            number = 0 if zlib.crc32(f"{copy}/{name}".encode()) % REPEATED == 0 else copy
            path = directory / f"{copy:04}" / package.label / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_marked(name, package.contents[name], number))
        written += len(names)

    directory.mkdir(parents=True)
    if files >= FEW_FROM:
        write(few, tuple(few.contents), 0)
    copy = 0
    while fitting := [each for each in found if len(each.contents) <= files - written]:
        for package in fitting:
            if len(package.contents) <= files - written:
                write(package, tuple(package.contents), copy)
        copy += 1
    # The rest does not hold a whole package: take files that refer to nothing, in an order without any.
    leaves = sorted(
        ((zlib.crc32(name.encode()), name, package) for package in found for name in package.leaves),
        key=lambda leaf: leaf[:2],
    )
    while written < files:
        for _, name, package in leaves[: files - written]:
            write(package, [name], copy)
        copy += 1
    return Corpus(directory, tuple(left_out))


def admin_corpus(directory: Path) -> Corpus:
    """The admin's files."""
    import django.contrib.admin

    shutil.copytree(Path(django.contrib.admin.__file__).parent / "static", directory)
    return Corpus(directory)


def large_corpus(directory: Path, megabytes: int, *, text: bool) -> Corpus:
    """One file: of random bytes, or of random words, of which no 16 MB are the same twice."""
    import random

    randomness = random.Random(0)
    directory.mkdir(parents=True)
    with (directory / ("large.txt" if text else "large.bin")).open("wb") as file:
        if text:
            words = ["".join(randomness.choices("etaoinshrdlu", k=randomness.randint(2, 9))) for _ in range(5_000)]
            lines = [" ".join(randomness.choices(words, k=12)) for _ in range(16_000_000 // 78)]
        size = megabytes * 1_000_000
        while file.tell() < size:
            if text:
                randomness.shuffle(lines)
                block = "\n".join(lines).encode()
            else:
                block = randomness.randbytes(1_000_000)
            file.write(block[: size - file.tell()])
    return Corpus(directory)


def _marked(name: str, data: bytes, copy: int) -> bytes:
    """The content of that copy of a file. What follows the end of an image or a font is not looked at."""
    suffix = os.path.splitext(name)[1].lower()
    if suffix in BLANK_MARKED:
        return data + b" " * copy + b"\n"
    return data + MARKS.get(suffix, "copy {}").format(copy).encode()


def _packages(sites: Sequence[Path]) -> tuple[list[Package], Package, list[str]]:
    """What to copy, what to take once, and the names that were left out."""
    contents: dict[str, dict[str, bytes]] = defaultdict(dict)
    large: dict[str, bytes] = {}
    for label, static in _static_directories(sites):
        for path in sorted(static.rglob("*")):
            name = path.relative_to(static).as_posix()
            if not path.is_file() or not _is_wanted(name):
                continue
            data = path.read_bytes()
            if not _is_text_as_told(name, data):
                continue
            if len(data) <= LARGEST:
                contents[label][name] = data
            elif len(data) <= FEW_LARGEST and not REFERENCE.search(data):
                large[f"{label}/{name}"] = data
    largest = _largest(sorted(len(data) for each in contents.values() for data in each.values()))
    contents = {
        label: kept
        for label, each in contents.items()
        if (kept := {name: data for name, data in each.items() if len(data) <= largest})
    }
    left_out = _leave_out_failing(contents)
    few = {name: large[name] for name in sorted(large)[:: max(1, len(large) // FEW)][:FEW]}
    found = [
        Package(label, each, tuple(name for name, data in each.items() if not REFERENCE.search(data)))
        for label, each in sorted(contents.items())
        if each
    ]
    return found, Package("large", few, ()), left_out


def _static_directories(sites: Sequence[Path]) -> list[tuple[str, Path]]:
    """The directories that an AppDirectoriesFinder would look in, each with its package; the first of a name."""
    found: dict[str, Path] = {}
    for site in sites:
        for folder, below, files in os.walk(site):
            below.sort()
            if "static" in below and "__init__.py" in files:
                found.setdefault(".".join(Path(folder).relative_to(site).parts), Path(folder, "static"))
                below.remove("static")
    return sorted(found.items())


def _is_wanted(name: str) -> bool:
    """Not what collectstatic passes over, and text, an image or a font."""
    suffix = os.path.splitext(name)[1].lower()
    is_passed_over = any(part.startswith(".") or part.endswith("~") or part == "CVS" for part in name.split("/"))
    return not is_passed_over and suffix in {*MARKS, *BLANK_MARKED, *BINARY}


def _is_text_as_told(name: str, data: bytes) -> bool:
    if os.path.splitext(name)[1].lower() in BINARY:
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _largest(sizes: Sequence[int]) -> int:
    """The size up to which files have ``MEAN`` as their mean."""
    total, largest = 0, 0
    for number, size in enumerate(sizes, 1):
        total += size
        if total > MEAN * number:
            break
        largest = size
    return largest or LARGEST


def _leave_out_failing(contents: dict[str, dict[str, bytes]]) -> list[str]:
    """Remove from the contents what a storage fails in, and what then refers to what is gone."""
    left_out: list[str] = []
    while True:
        with tempfile.TemporaryDirectory(prefix="asyncstatic-corpus-") as temporary:
            source = Path(temporary, "source")
            for label, each in contents.items():
                for name, data in each.items():
                    path = source / label / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
            failing: set[str] = set()
            for number, (storage, package) in enumerate(STORAGES.items()):
                command = [sys.executable, "-c", FAILING, source, f"{temporary}/{number}", storage, package]
                failing.update(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        if not failing:
            return sorted(left_out)
        for name in failing:
            label, _, rest = name.partition("/")
            del contents[label][rest]
        left_out += failing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--files", type=int, default=10_000, metavar="N")
    parser.add_argument("--packages", type=Path, nargs="+", default=[], metavar="SITE-PACKAGES")
    options = parser.parse_args()
    corpus = make_corpus(options.directory, options.files, options.packages)
    print(corpus.describe())
    print(f"Left out, since a storage fails in them: {', '.join(corpus.left_out) or 'none'}")


if __name__ == "__main__":
    main()
