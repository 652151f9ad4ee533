"""login's messages give who logged in at which terminal or from where."""

from typing import Any

import pytest

from ingest.formats.console_login import login_columns
from ingest.formats.seen import Action

TTY = "trailwarden.session.terminal"
REASON = "trailwarden.session.reason"


@pytest.mark.parametrize(
    ("text", "outcome", "expected"),
    [
        ("ROOT LOGIN ON tty1", "success", {"user.name": "root", TTY: "tty1"}),
        (
            "ROOT LOGIN ON pts/0 FROM 192.0.2.1",
            "success",
            {"user.name": "root", TTY: "pts/0", "source.ip": "192.0.2.1"},
        ),
        ("LOGIN ON tty1 BY alice", "success", {"user.name": "alice", TTY: "tty1"}),
        (
            "LOGIN ON pts/0 BY alice FROM h.example.com",
            "success",
            {"user.name": "alice", TTY: "pts/0", "source.domain": "h.example.com"},
        ),
        (
            "'alice' logged in on '/dev/tty1' from 'h.example.com'",
            "success",
            {"user.name": "alice", TTY: "tty1", "source.domain": "h.example.com"},
        ),
        (
            "FAILED LOGIN 1 FROM tty1 FOR root, Authentication failure",
            "failure",
            {"user.name": "root", TTY: "tty1", REASON: "Authentication failure"},
        ),
        (
            "FAILED LOGIN 2 FROM 192.0.2.1 FOR (unknown), User not known",
            "failure",
            {"source.ip": "192.0.2.1", REASON: "User not known"},
        ),
        (
            "FAILED LOGIN SESSION FROM 192.0.2.1 FOR x, y, Authentication failure",
            "failure",
            {"user.name": "x, y", "source.ip": "192.0.2.1", REASON: "Authentication failure"},
        ),
        (
            "FAILED LOGIN (1) on '/dev/tty1' FOR 'root', Authentication failure",
            "failure",
            {"user.name": "root", TTY: "tty1", REASON: "Authentication failure"},
        ),
        (
            "FAILED LOGIN (1) on '/dev/pts/0' from '192.0.2.1' FOR 'UNKNOWN', x",
            "failure",
            {TTY: "pts/0", "source.ip": "192.0.2.1", REASON: "x"},
        ),
        (
            "TOO MANY LOGIN TRIES (3) on '/dev/tty1' FOR 'root'",
            "failure",
            {"user.name": "root", TTY: "tty1", REASON: "too many tries"},
        ),
    ],
)
def test_a_login_says_who_and_where(text: str, outcome: str, expected: dict[str, Any]) -> None:
    assert login_columns(text, []) == {
        "event.action": Action.LOGIN,
        "event.outcome": outcome,
        "trailwarden.session.service": "login",
        **expected,
    }


@pytest.mark.parametrize("text", ["", "LOGIN", "DIALUP AT ttyS0 BY alice", "' logged in"])
def test_what_is_of_no_known_form_is_other(text: str) -> None:
    assert login_columns(text, [])["event.action"] is Action.OTHER
