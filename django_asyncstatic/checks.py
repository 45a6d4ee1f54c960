"""What ``manage.py check`` can say from the settings alone: it never touches the disk or a storage's ``url()``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core import checks


@checks.register(checks.Tags.staticfiles)
def check_settings(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Errors and warnings of checkstatic that need nothing but the settings, with the same ids."""
    # Where checks run only: a worker that starts has no use for it.
    from django_asyncstatic.diagnosing.declared import settings_findings
    from django_asyncstatic.diagnosing.findings import Level
    from django_asyncstatic.diagnosing.order import order_findings

    return [
        checks.CheckMessage(finding.level, finding.message, hint=finding.hint, id=finding.id)
        for finding in (*order_findings(), *settings_findings())
        if finding.level >= Level.WARNING
    ]
