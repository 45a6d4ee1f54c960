"""``manage.py runserver``: that of the next app which has one (Daphne's, Django's), without a second handler of static
files in front of the middleware. The command class is known only when the apps are.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.management import find_commands, load_command_class
from django.core.management.base import CommandParser

from django_asyncstatic import conf


def apps_below() -> Iterator[tuple[str, str]]:
    """Name and path of each app below ours in INSTALLED_APPS."""
    configs = list(apps.get_app_configs())
    ours = next((number for number, each in enumerate(configs) if each.name == "django_asyncstatic"), len(configs))
    for config in configs[ours + 1 :]:
        yield config.name, config.path


def next_command() -> type[Any]:
    """The class that Django would have taken without us."""
    for name, path in apps_below():
        if "runserver" in find_commands(os.path.join(path, "management")):
            return type(load_command_class(name, "runserver"))
    return type(load_command_class("django.core", "runserver"))


class Command(next_command()):  # type: ignore[misc]
    """Where the middleware is installed ``--nostatic`` is the default; else everything is as it was."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        if parser.get_default("use_static_handler") and conf.has_middleware():
            parser.set_defaults(use_static_handler=False)
