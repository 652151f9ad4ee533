"""Auditbeat's auditd module: what the golden records do not show."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.formats.auditbeat_auditd import decode, recognizes
from ingest.formats.seen import Action, Around, NotThisFormatError, Seen

DOCUMENT: dict[str, Any] = {
    "@timestamp": "2026-11-21T10:00:00.120Z",
    "host": {"name": "a.example.com"},
    "event": {"module": "auditd", "outcome": "success"},
    "auditd": {
        "message_type": "syscall",
        "sequence": 5,
        "result": "success",
        "session": "1",
        "data": {"syscall": "connect", "exit": "0", "tty": "pts0"},
    },
    "process": {"pid": 7, "name": "x", "executable": "/x", "args": ["x"]},
    "user": {"id": "0"},
    "destination": {"ip": "192.0.2.1", "port": 443},
}


def seen(document: dict[str, Any]) -> Seen:
    (one,) = decode(document, Around())
    return one


def own(**changes: Any) -> dict[str, Any]:
    return DOCUMENT | {"auditd": DOCUMENT["auditd"] | changes}


def test_its_own_documents_are_recognized() -> None:
    assert recognizes(DOCUMENT)
    assert recognizes({"@timestamp": "x", "auditd": {}})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"event": {"module": "file_integrity"}, "auditd": {}, "@timestamp": "x"},
        {"event": {"module": ["auditd"]}},
        {"event": "auditd"},
        {"auditd": "x", "@timestamp": "x"},
        {"auditd": {}},
        {"kind": "Event", "auditID": "x"},
    ],
)
def test_others_are_not(document: dict[str, Any]) -> None:
    assert not recognizes(document)


def test_the_act_is_the_calls_and_the_address_what_auditbeat_sorted() -> None:
    fields = seen(DOCUMENT).fields
    assert fields["event.action"] == Action.NETWORK_CONNECT
    assert (fields["destination.ip"], fields["destination.port"]) == ("192.0.2.1", 443)


def test_a_unix_socket_is_a_file() -> None:
    socket = {"family": "unix", "path": "/run/docker.sock"}
    fields = seen(own(data={"syscall": "connect", "socket": socket})).fields
    assert (fields["file.path"], fields["network.transport"]) == ("/run/docker.sock", "unix")


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("user_start", Action.SESSION_START),
        ("add_user", Action.ACCOUNT_CREATE),
        ("config_change", Action.AUDIT_CHANGE),
        ("daemon_end", Action.AUDIT_CHANGE),
        ("anom_abend", Action.ALERT),
        ("kern_module", Action.MODULE_LOAD),
    ],
)
def test_messages_are_acts_as_in_auditds_own_log(kind: str, action: Action) -> None:
    found = seen(own(message_type=kind, data={"acct": "bob", "op": "x", "name": "m"}))
    assert found.fields["event.action"] == action
    assert found.fields["event.code"] == kind.upper()


def test_an_event_is_the_same_whatever_a_shipper_adds() -> None:
    first = seen(DOCUMENT).identity
    assert first is not None
    assert seen(DOCUMENT | {"@metadata": {"beat": "auditbeat"}, "labels": {}}).identity == first
    assert seen(own(sequence=6)).identity != first
    assert seen(own(sequence=None)).identity is None


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-11-21T10:00:00.120Z", "2026-11-21T10:00:00.120Z"),
        ("2026-11-21T11:00:00.120+01:00", "2026-11-21T11:00:00.120+01:00"),
    ],
)
def test_times_are_those_of_the_document(time: str, expected: str) -> None:
    assert seen(DOCUMENT | {"@timestamp": time}).fields["@timestamp"] in {
        expected,
        "2026-11-21T10:00:00.120000Z",
    }


def test_a_document_that_says_nothing_is_refused() -> None:
    with pytest.raises(NotThisFormatError):
        decode({"event": {"module": "auditd"}}, Around())


@pytest.mark.parametrize("value", [None, True, 2**64, 0.5, "", "x" * 100_000, [], {}, [[{}]], [1]])
def test_a_wrong_type_never_raises(value: object) -> None:
    for key in [*DOCUMENT, "tags", "source", "kubernetes", "container", "agent", "beat"]:
        if key not in {"event", "auditd"}:
            seen(DOCUMENT | {key: value})
    for key in ("message_type", "sequence", "result", "session", "data", "paths"):
        seen(own(**{key: value}))
    for key in ("syscall", "exit", "a0", "socket", "arch", "acct"):
        for kind in ("syscall", "user_login", "kern_module"):
            seen(own(message_type=kind, data={key: value}))
    for key in ("name", "nametype", "mode", "inode"):
        seen(own(data={"syscall": "unlink"}, paths=[{"name": "/a"} | {key: value}]))
