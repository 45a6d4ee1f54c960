"""The options of the storages, ``STORAGES["staticfiles"]["OPTIONS"]``: what there is, what may be given, defaults."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured

from django_asyncstatic.codings import CODINGS

WHERE = 'STORAGES["staticfiles"]["OPTIONS"]'


class Option(NamedTuple):
    """One option: its default, whether a value can be meant, and what to say where it cannot."""

    default: Any
    accepts: Callable[[Any], bool]
    expected: str


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_words(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset) and all(isinstance(each, str) for each in value)


def _is_age(value: Any) -> bool:
    if isinstance(value, datetime.timedelta):
        return value >= datetime.timedelta(0)
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_file_name(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value not in ("", ".", "..") and "/" not in value)


_FLAG = "True or False"
_WORDS = "a list of strings"

STORAGE: dict[str, Option] = {
    "cache_dir": Option(None, lambda value: value is None or isinstance(value, str | os.PathLike), "a path or None"),
    "codings": Option(tuple(CODINGS), lambda value: isinstance(value, str) or _is_words(value), "a list of tokens"),
    "index_name": Option(None, _is_file_name, "the name of a file, not a path"),
    "keep_age": Option(datetime.timedelta(days=7), _is_age, "a timedelta, or a number of seconds"),
    "keep_releases": Option(3, lambda value: _is_count(value) and value > 0, "a whole number, at least 1"),
    "levels": Option(None, lambda value: value is None or isinstance(value, Mapping), "a dictionary of levels"),
    "skip_compress_extensions": Option((), _is_words, "a list of extensions"),
    "zopfli": Option(0, lambda value: _is_count(value) or value is True, "a number of iterations, or True for 15"),
}

MANIFEST_STORAGE: dict[str, Option] = {
    **STORAGE,
    "ignore_errors": Option((), _is_words, _WORDS),
    "keep_only_hashed_files": Option(False, _is_bool, _FLAG),
    "manifest_name": Option(None, _is_file_name, "the name of a file, not a path"),
    "manifest_strict": Option(None, _is_bool, _FLAG),
    "support_js_module_import_aggregation": Option(None, _is_bool, _FLAG),
}

#: What Django's storages take.
_DJANGO = frozenset(
    {
        *("location", "base_url", "file_permissions_mode", "directory_permissions_mode", "allow_overwrite"),
        "manifest_storage",
    }
)

#: Options of other packages, with what to write here.
_ELSEWHERE = {
    "use_gzip": 'leave "gzip" out of "codings"',
    "use_brotli": 'leave "br" out of "codings"',
    "use_zstd": 'leave "zstd" out of "codings"',
    "zstd_level": 'it is "levels": {"zstd": …}',
    "zstd_dictionary": "a body made with a dictionary cannot be sent as zstd (RFC 9842)",
    "minify": "minify before collecting: what is served has to be the same in every coding",
    "keep_original_files": 'it is "keep_only_hashed_files", the other way round',
    "sourcemap_strict": "a missing source map is always a warning",
    "use_lexer": "references are always found by parsers",
    "max_post_process_passes": "there is one pass, however long the chain of references is",
}


def take(table: Mapping[str, Option], given: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our options, with defaults, and what is left for Django. Raises ``ImproperlyConfigured``."""
    for fault in faults(table, given):
        raise ImproperlyConfigured(fault)
    rest: dict[str, Any] = {}
    chosen = {name: option.default for name, option in table.items()}
    for name, value in given.items():
        (chosen if name in table else rest)[name] = value
    if chosen["zopfli"] is True:
        chosen["zopfli"] = 15
    return chosen, rest


def faults(table: Mapping[str, Option], given: Mapping[str, Any], *, is_closed: bool = True) -> Iterator[str]:
    """What of the options cannot be meant, a sentence each. ``is_closed``: nobody has options of their own beside."""
    for name, value in given.items():
        if name in table:
            if not table[name].accepts(value):
                yield f"{WHERE}[{name!r}] is {value!r}; it has to be {table[name].expected}."
        elif name not in _DJANGO and is_closed:
            yield f"{WHERE} has no {name!r}{_advice(name, table)}."
    yield from _faults_of_codings(peek(table, given, "codings"), peek(table, given, "levels") or {})
    if peek(table, given, "zopfli") and find_spec("zopfli") is None:
        yield f'{WHERE}["zopfli"] is set, and zopfli is not installed: pip install "django-asyncstatic[zopfli]".'


def lacking(codings: Iterable[str]) -> Iterator[str]:
    """Of which codings the library cannot be imported: a sentence each, with what to install."""
    for token in codings:
        try:
            CODINGS[token].library()
        except ImportError as error:
            yield (
                f'{WHERE}["codings"] has {token!r}, and its library cannot be imported ({error}):'
                f" {CODINGS[token].remedy}, or leave {token!r} out."
            )


def lacking_for_modules() -> Iterator[str]:
    """What of the parser that ``support_js_module_import_aggregation`` needs is not installed."""
    missing = [name for name in ("tree_sitter", "tree_sitter_javascript") if find_spec(name) is None]
    if missing:
        yield (
            f'{WHERE}["support_js_module_import_aggregation"] is on, and {" and ".join(missing)} cannot be found:'
            ' pip install "django-asyncstatic[js]".'
        )


def peek(table: Mapping[str, Option], given: Mapping[str, Any], name: str) -> Any:
    """One option, before the others are looked at; its default where its value cannot be meant."""
    option = table[name]
    value = given.get(name, option.default)
    return value if option.accepts(value) else option.default


def levels(codings: str | Iterable[str], given: Mapping[str, Any] | None) -> dict[str, int]:
    """A level for each coding, in the order of the table; of options that :func:`take` has looked at."""
    chosen, given = _tokens(codings), given or {}
    return {token: given.get(token, coding.level) for token, coding in CODINGS.items() if token in chosen}


def _tokens(codings: str | Iterable[str]) -> list[str]:
    return [codings] if isinstance(codings, str) else list(codings)


def _faults_of_codings(codings: str | Iterable[str], given: Mapping[str, Any]) -> Iterator[str]:
    for token in dict.fromkeys([*_tokens(codings), *given]):
        if token not in CODINGS:
            near = nearest(str(token), CODINGS, 0.3)
            yield f"{WHERE} names the content coding {token!r}; there are {', '.join(map(repr, CODINGS))}" + (
                f": did you mean {near!r}?" if near else "."
            )
    for token, level in given.items():
        if token not in CODINGS:
            continue
        allowed = CODINGS[token].levels
        if not isinstance(level, int) or isinstance(level, bool) or level not in allowed:
            yield f"{WHERE} sets the level {level!r} for {token!r}; it has to be from {allowed[0]} to {allowed[-1]}."


def seconds(age: datetime.timedelta | float) -> float:
    return age.total_seconds() if isinstance(age, datetime.timedelta) else age


def _advice(name: str, table: Mapping[str, Option]) -> str:
    if name in _ELSEWHERE:
        return f": {_ELSEWHERE[name]}"
    near = nearest(name, [*table, *_DJANGO], 0.6)
    return f"; did you mean {near!r}?" if near else f". There are {', '.join(sorted(table))}"


def nearest(word: str, words: Iterable[str], cutoff: float) -> str:
    """The one of some words that is most like another; empty if none is."""
    import difflib  # for an error only: a worker that starts has no use for it

    near = difflib.get_close_matches(word, list(words), 1, cutoff=cutoff)
    return near[0] if near else ""
