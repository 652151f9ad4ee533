"""The page of settings says what the settings are."""

from __future__ import annotations

import pytest

from worker.configuration import Settings
from worker.settings_page import settings_page


def rows() -> dict[str, list[str]]:
    lines = [line for line in settings_page().splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row for row in cells}


def test_every_setting_has_one_complete_row() -> None:
    wanted = {
        f"{group}.{name}"
        for group, field in Settings.model_fields.items()
        for name in getattr(field.annotation, "model_fields", {})
    }
    assert set(rows()) == wanted | {"exceptions"}
    assert all(len(row) == 5 and all(row) for row in rows().values())


def test_types_limits_and_defaults_are_readable() -> None:
    found = rows()
    assert found["kafka.group"][1:4] == ["`TRAILWARDEN_KAFKA__GROUP`", "text", "`trailwarden`"]
    assert found["worker.batch_records"][2] == "whole number (>= 1, <= 100,000)"
    assert found["inbox.clusters"][2:4] == ["mapping of text to text", "none"]
    assert found["kafka.password"][2] == "secret or none"
    assert found["notify.severity"][2].startswith("`informational`, `low`")
    assert found["site.maintenance"][2] == "list of mappings"
    assert found["exceptions"][1:3] == ["`TRAILWARDEN_EXCEPTIONS`", "list of mappings"]


def test_the_environment_of_who_writes_the_page_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = settings_page()
    monkeypatch.setenv("TRAILWARDEN_KAFKA__PASSWORD", "hunter2")
    monkeypatch.setenv("TRAILWARDEN_KAFKA__GROUP", "mine")
    assert settings_page() == before
