"""logind's messages give a session's number and whose it is."""

from typing import Any

import pytest

from ingest.formats.logind import logind_columns
from ingest.formats.seen import Action

ID = "trailwarden.session.id"


@pytest.mark.parametrize(
    ("text", "action", "expected"),
    [
        ("New session 5 of user alice.", Action.SESSION_START, {ID: "5", "user.name": "alice"}),
        ("New session c2 of user a.b.", Action.SESSION_START, {ID: "c2", "user.name": "a.b"}),
        (
            "New session '5' of user 'alice' with class 'user-early' and type 'unspecified'.",
            Action.SESSION_START,
            {
                ID: "5",
                "user.name": "alice",
                "trailwarden.tool.fields": '{"class":"user-early","type":"unspecified"}',
            },
        ),
        ("Removed session 5.", Action.SESSION_END, {ID: "5"}),
        ("Session 5 logged out. Waiting for processes to exit.", Action.LOGOUT, {ID: "5"}),
        ("System is rebooting.", Action.SHUTDOWN, {}),
        ("The system will power off now!", Action.SHUTDOWN, {}),
    ],
)
def test_a_session_begins_and_ends(text: str, action: Action, expected: dict[str, Any]) -> None:
    found = logind_columns(text, [])
    assert found == {"event.action": action, "event.outcome": "success", **expected}


@pytest.mark.parametrize("text", ["", "New seat seat0.", "Session 5", "Power key pressed short."])
def test_what_is_no_session_is_other(text: str) -> None:
    assert logind_columns(text, [])["event.action"] is Action.OTHER
