"""What ``manage.py check`` can say from the settings alone: it never touches the disk or a storage's ``url()``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core import checks

_DOCS = "https://django-asyncstatic.readthedocs.io/en/latest"


@checks.register(checks.Tags.staticfiles)
def check_settings(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """What cannot be meant or lacks a library; and what of checkstatic needs the settings alone, with the same ids."""
    # Where checks run only: a worker that starts has no use for it.
    from django_asyncstatic.diagnosing.declared import settings_findings
    from django_asyncstatic.diagnosing.findings import Level
    from django_asyncstatic.diagnosing.order import order_findings

    return [
        *_unusable(),
        *(
            checks.CheckMessage(
                finding.level, finding.message, hint=f"{finding.hint} {_see(finding.id)}", id=finding.id
            )
            for finding in (*order_findings(), *settings_findings())
            if finding.level >= Level.WARNING
        ),
    ]


def _unusable() -> Iterator[checks.CheckMessage]:
    """What stops the start, a collect or checkstatic, each with the same sentence."""
    from django_asyncstatic import conf

    has_faults = False
    for name, fault in conf.faults():
        has_faults = True
        pages = {"STATIC_URL": "quickstart.html", "STORAGES": "storage.html"}
        page = pages.get(name) or f"settings.html#{name.replace('_', '-').lower()}"
        yield checks.Error(fault, hint=f"See {_DOCS}/{page}.", obj=name, id="asyncstatic.E062")
    if not has_faults:
        for missing in conf.lacking():
            yield checks.Error(missing, hint=_see("asyncstatic.E063"), obj="STORAGES", id="asyncstatic.E063")


def _see(finding_id: str) -> str:
    return f"See {_DOCS}/checkstatic.html#{finding_id.replace('.', '-').lower()}."
