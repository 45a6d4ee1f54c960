"""What importing the middleware costs, where it cannot be measured; what it measures is in test_check_chain."""

from __future__ import annotations

import pytest
from django.test import override_settings

from django_asyncstatic.diagnosing import starting


def test_a_project_that_does_not_start_is_told_in_its_own_last_line() -> None:
    with (
        override_settings(SETTINGS_MODULE="tests.absent"),
        pytest.raises(ValueError, match=r"^a process that sets Django up fails: ModuleNotFound.*tests\.absent'$"),
    ):
        starting.import_seconds(["django.middleware.common.CommonMiddleware"])


def test_a_project_that_takes_too_long_to_start_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "PATIENCE", 0.01)
    with pytest.raises(ValueError, match=r"^a process that sets Django up takes more than 0\.01 seconds$"):
        starting.import_seconds(["django.middleware.common.CommonMiddleware"])
