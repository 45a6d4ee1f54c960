"""Files that are for developers and not for visitors, by their names: a table, and who reads it.

Adding a kind is one entry in :data:`KINDS`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class Kind(NamedTuple):
    """Files that are not for visitors, by names of directories, of files, and by extensions; all in lower case."""

    id: str
    what: str
    hint: str
    folders: frozenset[str] = frozenset()
    bases: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


KEEP_ELSEWHERE = "Keep it where no finder looks, or leave it out with ignore_patterns of the app's StaticFilesConfig."

VERSION_CONTROL = Kind(
    "asyncstatic.W036",
    "The history of a version control system",
    "Remove it: whoever has it has all sources, also those that were deleted.",
    folders=_words(".git .svn .hg .bzr cvs"),
)

KINDS = (
    VERSION_CONTROL,
    Kind(
        "asyncstatic.W036",
        "Source code of the server",
        KEEP_ELSEWHERE,
        folders=_words("__pycache__"),
        extensions=_words("py pyc pyo pyi php phtml rb jsp asp aspx"),
    ),
    Kind(
        "asyncstatic.W036",
        "Configuration of the server, or of its deployment",
        KEEP_ELSEWHERE,
        bases=_words(
            "dockerfile docker-compose.yml docker-compose.yaml compose.yml compose.yaml vagrantfile procfile"
            " jenkinsfile nginx.conf httpd.conf supervisord.conf uwsgi.ini gunicorn.conf.py web.config pyproject.toml"
            " requirements.txt"
        ),
        extensions=_words("tf tfvars"),
    ),
    Kind(
        "asyncstatic.W036",
        "A copy that an editor or a merge left behind",
        "Remove it.",
        extensions=_words("bak backup orig rej swp swo"),
    ),
    Kind(
        "asyncstatic.I074",
        "A directory of packages",
        "Collect what pages load of it, and no more: STATICFILES_DIRS can name a package's own directory.",
        folders=_words("node_modules bower_components"),
    ),
    Kind(
        "asyncstatic.I074",
        "A file of a package manager or a build tool",
        KEEP_ELSEWHERE,
        bases=_words(
            "package-lock.json yarn.lock pnpm-lock.yaml bun.lockb npm-shrinkwrap.json composer.json composer.lock"
            " bower.json gruntfile.js gulpfile.js webpack.config.js rollup.config.js vite.config.js vite.config.ts"
            " tsconfig.json makefile"
        ),
    ),
    Kind(
        "asyncstatic.I074",
        "A source of what pages load",
        KEEP_ELSEWHERE,
        extensions=_words("scss sass less styl coffee ts tsx psd ai xcf sketch fig"),
    ),
    Kind(
        "asyncstatic.I074",
        "What an operating system left behind",
        "Remove it.",
        bases=_words("thumbs.db desktop.ini ehthumbs.db"),
    ),
)

_BY_FOLDER = {folder: kind for kind in KINDS for folder in kind.folders}
_BY_BASE = {base: kind for kind in KINDS for base in kind.bases}
_BY_EXTENSION = {extension: kind for kind in KINDS for extension in kind.extensions}
_COPIES = _BY_EXTENSION["bak"]


#: Extensions of what pages are made of, and of no kind.
_ORDINARY = frozenset(
    "css js mjs map svg png gif jpg jpeg webp avif ico woff woff2 ttf otf eot html htm json txt md".split()  # noqa: SIM905
)


@lru_cache(maxsize=1024)
def kind_of_folder(folder: str) -> Kind | None:
    """Of which kind everything in a directory is, by the components of its name."""
    return next((_BY_FOLDER[part] for part in folder.lower().split("/") if part in _BY_FOLDER), None)


def kind_of(base: str) -> Kind | None:
    """Of which kind a file is by its last component."""
    lower = base.lower()
    if lower in _BY_BASE:
        return _BY_BASE[lower]
    if lower.endswith("~") or (lower.startswith("#") and lower.endswith("#")):
        return _COPIES
    return _BY_EXTENSION.get(lower.rpartition(".")[2]) if "." in lower else None


def is_ordinary(name: str) -> bool:
    """Whether a file is of no kind, told quickly for most of those that pages are made of."""
    folder, _, base = name.rpartition("/")
    return base.rpartition(".")[2] in _ORDINARY and base.lower() not in _BY_BASE and kind_of_folder(folder) is None
