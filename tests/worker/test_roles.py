"""Roles are named with commas; another word is refused with those that there are."""

from __future__ import annotations

import pytest

from worker.roles import Role, read_roles


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("detect", {Role.DETECT}),
        ("correlate", {Role.CORRELATE}),
        ("correlate, detect", {Role.DETECT, Role.CORRELATE}),
        ("detect,detect", {Role.DETECT}),
    ],
)
def test_roles_are_read(text: str, roles: set[Role]) -> None:
    assert read_roles(text) == roles


@pytest.mark.parametrize(("text", "named"), [("", "''"), ("detect,", "''"), ("learn", "'learn'")])
def test_another_word_is_refused(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=f"{named} is no role: there are detect, correlate"):
        read_roles(text)
