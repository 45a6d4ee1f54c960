"""Compares what we find in the templates of real packages with what Django's parser makes of them.

Run as a program, for it needs all of them in INSTALLED_APPS; prints the number of templates and of nodes that were
compared, and the differences, as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import django
from django.conf import settings

PACKAGES = [
    *("django.contrib.admin", "django.contrib.admindocs", "django.contrib.auth", "django.contrib.contenttypes"),
    *("django.contrib.flatpages", "django.contrib.messages", "django.contrib.sessions", "django.contrib.sites"),
    *("django.contrib.staticfiles", "rest_framework", "debug_toolbar", "unfold", "unfold.contrib.forms", "jazzmin"),
    *("wagtail.contrib.forms", "wagtail.contrib.redirects", "wagtail.contrib.settings", "wagtail.contrib.styleguide"),
    *("wagtail.contrib.table_block", "wagtail.embeds", "wagtail.sites", "wagtail.users", "wagtail.snippets"),
    *("wagtail.documents", "wagtail.images", "wagtail.search", "wagtail.admin", "wagtail", "modelcluster", "taggit"),
]


def main() -> None:
    settings.configure(
        INSTALLED_APPS=PACKAGES,
        SECRET_KEY="for a test only",
        STATIC_URL="/static/",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        USE_TZ=True,
    )
    django.setup()
    from django.template import Origin, Template, TemplateSyntaxError, engines

    from django_asyncstatic.diagnosing.languages import CannotCompile, DjangoLanguage

    engine = engines["django"].engine  # type: ignore[attr-defined]
    language = DjangoLanguage(engine)
    count = nodes = 0
    differences = []
    for file, name, text in texts(engine):
        try:
            expected = literals(Template(text, Origin(file, name), name, engine))
        except TemplateSyntaxError:  # it is for a package that is not installed
            continue
        try:
            found = sorted((use.name or "", use.line) for use in language.uses(text)[0])
        except CannotCompile as error:
            found = [(str(error), 0)]
        count, nodes = count + 1, nodes + len(expected)
        if found != expected:
            differences.append((file, found, expected))
    print(json.dumps({"templates": count, "nodes": nodes, "differences": differences}))


def texts(engine: Any) -> Iterator[tuple[str, str, str]]:
    from pathlib import Path

    for loader in engine.template_loaders[0].loaders:
        for directory in loader.get_dirs():
            for file in sorted(Path(directory).rglob("*.*")):
                if file.is_file() and file.suffix not in (".py", ".po"):
                    yield str(file), file.relative_to(directory).as_posix(), file.read_text()


def literals(template: Any) -> list[tuple[str, int]]:
    """The names and lines of the nodes that Django made; the name is empty where a node has none yet."""
    from django.templatetags.static import StaticNode

    found = [node for node in template.nodelist.get_nodes_by_type(StaticNode) if type(node) is StaticNode]
    is_literal = [isinstance(node.path.var, str) and not node.path.filters for node in found]
    return sorted(
        (node.path.var if literal else "", node.token.lineno) for node, literal in zip(found, is_literal, strict=True)
    )


if __name__ == "__main__":
    main()
