"""A message is a sentence that is safe to show and reads like one."""

from __future__ import annotations

import pytest

from detectors.message import MAX_VALUE, printable, render, shown
from detectors.sigma.rule import Message


def template(*parts: str) -> Message:
    return Message("", parts[::2], parts[1::2])


def test_placeholders_are_filled() -> None:
    message = template("", "user.name", " ran ", "process.command_line", ".")
    event = {"user.name": "alice", "process.command_line": "id"}
    assert render(message, "t", event) == "alice ran id."


def test_impersonation_names_both() -> None:
    event = {"user.name": "alice", "user.effective.name": "system:admin"}
    assert shown(event, "user.name") == "alice (acting as system:admin)"


def test_what_is_missing_is_said() -> None:
    assert shown({}, "user.name") == "an unauthenticated client"
    assert shown({"source.ip": None}, "source.ip") == "(unknown)"


def test_long_lists_are_cut() -> None:
    assert shown({"x": ["a", "b", "c", "d", "e"]}, "x") == "a, b, c and 2 more"


@pytest.mark.parametrize(
    ("action", "expected"), [("create", "bob created x."), ("nod", "bob did nod x.")]
)
def test_did_and_an_action_read_as_past_tense(action: str, expected: str) -> None:
    message = template("", "user.name", " did ", "event.action", " x.")
    assert render(message, "t", {"user.name": "bob", "event.action": action}) == expected


def test_an_action_elsewhere_stays_as_it_is() -> None:
    message = template("tried to ", "event.action", ".")
    assert render(message, "t", {"event.action": "create"}) == "tried to create."


def test_a_rule_without_a_message_gets_a_sentence() -> None:
    event = {"user.name": "bob", "event.action": "get", "orchestrator.resource.type": "pods"}
    assert render(None, "Odd read", event) == "Odd read: bob, get pods."


@pytest.mark.parametrize("hostile", ["a\x1b[31mb", "a\u202eb", "a\nb", "a\x00b", "a\u200bb"])
def test_what_cannot_be_seen_is_made_visible(hostile: str) -> None:
    assert printable(hostile).isprintable()
    assert printable(hostile) != hostile


def test_long_values_are_cut_with_their_length() -> None:
    assert printable("x" * 5000) == "x" * MAX_VALUE + "…(5000 characters)"
