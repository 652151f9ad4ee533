from __future__ import annotations

from typing import Any

import pytest

from ingest.formats.login_records import decode, recognizes
from ingest.formats.seen import Around, Fields, NotThisFormatError, Seen


def one(**members: Any) -> Seen:
    record = {"trailwarden": "login-record", "file": "wtmp", "type": 7, "time_us": 1, **members}
    (seen,) = decode(record, Around())
    return seen


def fields(**members: Any) -> Fields:
    return one(**members).fields


@pytest.mark.parametrize(
    ("members", "action", "outcome"),
    [
        ({"user": "jane"}, "login", "success"),
        ({"user": "jane", "file": "utmp"}, "login", "success"),
        ({"user": "jane", "file": "btmp"}, "login", "failure"),
        ({"user": "jane", "file": "unknown"}, "login", "unknown"),
        ({"user": "jane", "file": "btmp", "type": 6}, "login", "failure"),
        ({"file": "btmp", "type": 0}, "login", "failure"),
        ({"user": "LOGIN", "type": 6}, "other", "unknown"),
        ({}, "logout", "success"),
        ({"type": 8}, "logout", "success"),
        ({"type": 2, "user": "reboot"}, "boot", "success"),
        ({"type": 1, "user": "shutdown"}, "shutdown", "success"),
        ({"type": 1, "user": "runlevel"}, "other", "unknown"),
        ({"type": 3}, "other", "unknown"),
        ({"type": 99}, "other", "unknown"),
        ({"type": -1}, "other", "unknown"),
    ],
)
def test_types_tell_what_was_done(members: dict[str, Any], action: str, outcome: str) -> None:
    found = fields(**members)
    assert (found["event.action"], found["event.outcome"]) == (action, outcome)


@pytest.mark.parametrize(
    ("host", "address", "expected"),
    [
        ("peer.example.com", "203.0.113.7", ("203.0.113.7", None)),
        ("peer.example.com", None, (None, "peer.example.com")),
        ("203.0.113.7", None, ("203.0.113.7", None)),
        ("203.0.113.7", "::ffff:203.0.113.7", ("203.0.113.7", None)),
        (":0", None, (None, None)),
        ("tmux(4011).%0", None, (None, None)),
        ("a b", "no address", (None, None)),
        ("x" * 1_000_000, None, (None, "x" * 1_000_000)),
    ],
)
def test_where_a_login_came_from(
    host: str, address: str | None, expected: tuple[str | None, str | None]
) -> None:
    found = fields(user="jane", host=host, address=address)
    assert (found["source.ip"], found["source.domain"]) == expected


@pytest.mark.parametrize(("type_", "name"), [(7, "USER_PROCESS"), (12, "12"), (-3, "-3")])
def test_a_type_is_named(type_: int, name: str) -> None:
    assert fields(type=type_)["event.code"] == name


def test_the_peer_of_a_boot_is_a_kernel_and_no_address() -> None:
    found = fields(type=2, user="reboot", host="192.0.2.1")
    assert "source.ip" not in found


@pytest.mark.parametrize("type_", [None, "seven", [7], {}, 2**70])
def test_an_entry_without_a_type_is_refused(type_: Any) -> None:
    with pytest.raises(NotThisFormatError):
        one(type=type_)


@pytest.mark.parametrize("other", [{}, {"trailwarden": "x"}, {"type": 7, "file": "wtmp"}])
def test_other_documents_are_not_recognized(other: dict[str, Any]) -> None:
    assert not recognizes(other)


@pytest.mark.parametrize("wrong", [[1], {"a": 1}, True, 2**70, 1.5])
@pytest.mark.parametrize("place", ["file", "pid", "time_us", "line", "session", "host", "address"])
def test_wrong_types_cost_their_field_alone(place: str, wrong: Any) -> None:
    assert fields(**{"user": "jane", place: wrong})["user.name"] == "jane"
