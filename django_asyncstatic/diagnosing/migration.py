"""The settings of WhiteNoise 6.12 and ServeStatic 4.4, and ours: the table of the docs, page "Migrating"."""

from __future__ import annotations

from typing import NamedTuple

from django_asyncstatic.options import WHERE


class Successor(NamedTuple):
    """What to write instead: one of our settings, or an option of the storage; else ``why_not``."""

    setting: str = ""
    option: str = ""
    why_not: str = ""

    def __str__(self) -> str:
        if self.setting:
            return f"Write {self.setting} instead"
        if self.option:
            return f'Write "{self.option}" in {WHERE} instead'
        return f"Remove it: {self.why_not}"


def _same(name: str) -> Successor:
    return Successor(setting=f"ASYNCSTATIC_{name}")


_DICTIONARY = Successor(why_not="what is made with a dictionary cannot be sent as zstd (RFC 9842)")
_INDEX = Successor(why_not="what is in STATIC_ROOT is always known from the index")

#: What both have, and what ServeStatic has besides.
SUCCESSORS = {
    "ADD_HEADERS_FUNCTION": _same("ADD_HEADERS_FUNCTION"),
    "ALLOW_ALL_ORIGINS": _same("ALLOW_ALL_ORIGINS"),
    "AUTOREFRESH": _same("AUTOREFRESH"),
    "CHARSET": _same("CHARSET"),
    "IMMUTABLE_FILE_TEST": _same("IMMUTABLE_FILE_TEST"),
    "INDEX_FILE": _same("INDEX_FILE"),
    "KEEP_ONLY_HASHED_FILES": Successor(option="keep_only_hashed_files"),
    "MANIFEST_STRICT": Successor(option="manifest_strict"),
    "MAX_AGE": _same("MAX_AGE"),
    "MIMETYPES": Successor(why_not="set Content-Type in ASYNCSTATIC_ADD_HEADERS_FUNCTION"),
    "ROOT": _same("ROOT"),
    "SKIP_COMPRESS_EXTENSIONS": Successor(option="skip_compress_extensions"),
    "STATIC_PREFIX": Successor(why_not="files are served under the path of STATIC_URL, which may have a host"),
    "USE_FINDERS": _same("AUTOREFRESH"),
}
SUCCESSORS_OF_SERVESTATIC = {
    "ALLOW_UNSAFE_SYMLINKS": Successor(
        why_not="collectstatic copies what links lead to; links out of STATIC_ROOT are not served"
    ),
    "MINIFY": Successor(why_not="minify before collecting: what is served has to be the same in every coding"),
    "USE_BROTLI": Successor(option="codings"),
    "USE_GZIP": Successor(option="codings"),
    "USE_MANIFEST": _INDEX,
    "USE_STATIC_ROOT": _INDEX,
    "USE_ZSTD": Successor(option="codings"),
    "ZSTD_DICTIONARY": _DICTIONARY,
    "ZSTD_DICTIONARY_IS_RAW": _DICTIONARY,
    "ZSTD_LEVEL": Successor(option="levels"),
}

#: Every setting of theirs.
THEIRS = {
    **{f"WHITENOISE_{name}": successor for name, successor in SUCCESSORS.items()},
    **{f"SERVESTATIC_{name}": successor for name, successor in (SUCCESSORS | SUCCESSORS_OF_SERVESTATIC).items()},
}

#: Their apps, which do nothing without their middleware, or change runserver for it.
APPS = {
    "WHITENOISE": ("whitenoise.runserver_nostatic",),
    "SERVESTATIC": ("servestatic", "servestatic.runserver_nostatic"),
}
