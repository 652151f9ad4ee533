"""Each su's messages give who became whom."""

from typing import Any

import pytest

from ingest.formats.seen import Action
from ingest.formats.su import runuser_columns, su_columns


def switch(outcome: str, terminal: str | None, service: str = "su") -> dict[str, Any]:
    at = {} if terminal is None else {"trailwarden.session.terminal": terminal}
    return {
        "event.action": Action.SWITCH_USER,
        "event.outcome": outcome,
        "user.name": "alice",
        "user.effective.name": "root",
        "user.target.name": "root",
        "trailwarden.session.service": service,
        **at,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(to root) alice on pts/0", switch("success", "pts/0")),
        ("(to root) alice on none", switch("success", None)),
        ("FAILED SU (to root) alice on pts/0", switch("failure", "pts/0")),
        ("Successful su for root by alice", switch("success", None)),
        ("FAILED su for root by alice", switch("failure", None)),
        ("+ /dev/pts/0 alice:root", switch("success", "pts/0")),
        ("- pts/0 alice:root", switch("failure", "pts/0")),
        ("+ ??? alice:root", switch("success", None)),
    ],
)
def test_a_switch_says_who_became_whom(text: str, expected: dict[str, Any]) -> None:
    assert su_columns(text, []) == expected


def test_runuser_is_a_service_of_its_own() -> None:
    found = runuser_columns("FAILED RUNUSER (to root) alice on pts/0", [])
    assert found == switch("failure", "pts/0", "runuser")


def test_nameless_callers_are_left_out() -> None:
    found = su_columns("- pts/0 ???:???", [])
    assert "user.name" not in found
    assert "user.target.name" not in found


@pytest.mark.parametrize(
    "text", ["", "+", "+ x", "(to root", "FAILED SU ", "pam_authenticate: x", " su for "]
)
def test_what_is_of_no_known_form_is_other(text: str) -> None:
    assert su_columns(text, [])["event.action"] is Action.OTHER
