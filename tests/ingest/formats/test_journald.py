"""Entries of a journal give the same as syslog, and what their writer's name is worth."""

from typing import Any

import pytest

from ingest.formats.journald import decode, recognizes
from ingest.formats.seen import Action, Around, NotThisFormatError, Seen

ACCEPTED = "Accepted password for root from 192.0.2.1 port 5 ssh2"
ENTRY: dict[str, Any] = {
    "__REALTIME_TIMESTAMP": "1795255200123456",
    "_BOOT_ID": "b",
    "_HOSTNAME": "node-1",
    "_PID": "12",
    "_UID": "0",
    "_COMM": "sshd",
    "_EXE": "/usr/sbin/sshd",
    "SYSLOG_IDENTIFIER": "sshd",
    "SYSLOG_PID": "99",
    "MESSAGE": ACCEPTED,
}


def one(**changes: Any) -> Seen:
    document = {**ENTRY, **changes}
    document = {key: value for key, value in document.items() if value is not ...}
    (seen,) = decode(document, Around())
    return seen


def test_journald_s_own_members_are_believed() -> None:
    seen = one(_AUDIT_LOGINUID="1000", _SYSTEMD_SESSION="7")
    assert seen.issues == []
    assert seen.fields["@timestamp"] == "2026-11-21T10:00:00.123456Z"
    assert seen.fields["host.name"] == "node-1"
    assert seen.fields["process.pid"] == 12
    assert seen.fields["process.executable"] == "/usr/sbin/sshd"
    assert seen.fields["user.audit.id"] == "1000"
    assert seen.fields["trailwarden.session.id"] == "7"


@pytest.mark.parametrize(
    ("changes", "issues"),
    [
        ({"_EXE": "/usr/lib/openssh/sshd-session", "_COMM": "sshd-session"}, []),
        ({"_EXE": "/usr/sbin/sshd (deleted)"}, []),
        ({"_EXE": "/usr/bin/logger", "_COMM": "logger"}, ["identifier-not-trusted"]),
        ({"_EXE": "/usr/bin/logger", "_COMM": "sshd"}, ["identifier-not-trusted"]),
        ({"_EXE": "/home/bob/sshd"}, ["identifier-not-trusted"]),
        ({"_EXE": "/srv/usr/sbin/sshd"}, ["identifier-not-trusted"]),
        ({"_UID": "1000"}, ["identifier-not-trusted"]),
        ({"_EXE": ..., "_COMM": "logger"}, ["identifier-not-trusted"]),
        ({"_EXE": ...}, ["identifier-unproven"]),
        ({"_EXE": ..., "_COMM": ...}, ["identifier-unproven"]),
    ],
)
def test_a_claimed_name_is_compared_with_what_journald_saw(
    changes: dict[str, Any], issues: list[str]
) -> None:
    seen = one(**changes)
    assert seen.issues == issues
    assert seen.fields["event.provider"] == "sshd"
    is_forged = "identifier-not-trusted" in issues
    assert seen.fields["event.action"] is (Action.OTHER if is_forged else Action.LOGIN)
    assert seen.fields["event.outcome"] == ("unknown" if is_forged else "success")
    assert ("user.name" in seen.fields) is not is_forged
    assert seen.fields["message"] == ACCEPTED


@pytest.mark.parametrize(
    ("name", "executable", "uid"),
    [
        ("CRON", "/usr/sbin/cron", "0"),
        ("crond", "/usr/sbin/crond", "0"),
        ("(systemd)", "/usr/lib/systemd/systemd-executor", "0"),
        ("gdm-password]", "/usr/libexec/gdm-session-worker", "0"),
        ("sudo", "/usr/bin/sudo", "1000"),
        ("su", "/nix/store/abc-shadow/bin/su", "1000"),
        ("sshd(pam_google_authenticator)", "/usr/sbin/sshd", "0"),
    ],
)
def test_programs_that_are_called_otherwise_are_known(name: str, executable: str, uid: str) -> None:
    text = "pam_unix(x:session): session closed for user bob"
    seen = one(SYSLOG_IDENTIFIER=name, _EXE=executable, _UID=uid, MESSAGE=text)
    assert seen.issues == []


def test_a_long_name_is_compared_as_the_kernel_cuts_it() -> None:
    seen = one(
        SYSLOG_IDENTIFIER="polkit-agent-helper-1",
        _COMM="polkit-agent-he",
        _EXE=...,
        MESSAGE="pam_unix(polkit-1:session): session closed for user root",
    )
    assert seen.issues == ["identifier-unproven"]


def test_a_command_that_was_logged_is_not_mixed_with_its_logger() -> None:
    seen = one(
        SYSLOG_IDENTIFIER="sudo",
        _EXE="/usr/bin/sudo",
        _COMM="sudo",
        MESSAGE="alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/ls",
        _CMDLINE="sudo ls",
    )
    assert seen.fields["process.command_line"] == "/bin/ls"
    assert "process.executable" not in seen.fields


def test_a_title_with_names_in_it_is_no_command_line() -> None:
    assert "process.command_line" not in one(_CMDLINE="sshd: root [priv]").fields


@pytest.mark.parametrize(
    ("message", "text", "issues"),
    [
        (list(ACCEPTED.encode()), ACCEPTED, []),
        ([65, 255], "A\ufffd", ["not-utf8:MESSAGE"]),
        ([ACCEPTED, "x"], ACCEPTED, ["repeated:MESSAGE"]),
        ([list(ACCEPTED.encode()), "x"], ACCEPTED, ["repeated:MESSAGE"]),
        (7, "7", []),
        ({"a": 1}, '{"a":1}', ["wrong-type:MESSAGE"]),
    ],
)
def test_a_message_is_text_bytes_or_the_first_of_several(
    message: object, text: str, issues: list[str]
) -> None:
    seen = one(MESSAGE=message)
    assert (seen.fields["message"], seen.issues) == (text, issues)


@pytest.mark.parametrize(
    "message", [None, [], [300], [-1], [1, "x"], [1, None], [[["x"]]], [None], [2**70], ""]
)
def test_a_message_that_is_missing_loses_no_event(message: object) -> None:
    seen = one(MESSAGE=message)
    assert seen.fields["event.action"] is Action.OTHER
    assert seen.fields["trailwarden.truncated"] is True
    assert "message-missing" in seen.issues


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("1795255200123456", "2026-11-21T10:00:00.123456Z"),
        (1795255200123456, "2026-11-21T10:00:00.123456Z"),
        ("x", None),
        ("-1", None),
        (2**64, None),
        ([], None),
        ("9" * 19, None),
    ],
)
def test_the_time_is_microseconds_as_text(time: object, expected: str | None) -> None:
    assert one(__REALTIME_TIMESTAMP=time).fields.get("@timestamp") == expected


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("_SOURCE_REALTIME_TIMESTAMP", "1795255200123456"),
        ("date", 1795255200.123456),
        ("date", "2026-11-21T10:00:00.123456Z"),
        ("@timestamp", "2026-11-21T10:00:00.123456Z"),
        ("timestamp", "2026-11-21T10:00:00.123456Z"),
    ],
)
def test_shippers_have_times_of_their_own(member: str, value: object) -> None:
    seen = one(__REALTIME_TIMESTAMP=..., **{member: value})
    assert seen.fields["@timestamp"] == "2026-11-21T10:00:00.123456Z"


@pytest.mark.parametrize("number", ["4294967295", 4294967295, "-1"])
def test_nobody_s_login_uid_is_none(number: object) -> None:
    assert "user.audit.id" not in one(_AUDIT_LOGINUID=number).fields


def test_a_claimed_process_id_counts_only_where_there_is_no_other() -> None:
    assert one(_PID=...).fields["process.pid"] == 99


def test_a_program_without_an_identifier_is_the_one_that_journald_saw() -> None:
    assert one(SYSLOG_IDENTIFIER=...).fields["event.provider"] == "sshd"


@pytest.mark.parametrize(
    "changes",
    [
        {"SYSLOG_IDENTIFIER": "kernel", "MESSAGE": "x"},
        {"SYSLOG_IDENTIFIER": ..., "_COMM": ...},
        {"SYSLOG_IDENTIFIER": None, "_COMM": []},
        {"SYSLOG_IDENTIFIER": "kernel", "MESSAGE": None},
    ],
)
def test_entries_of_other_programs_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(NotThisFormatError):
        one(**changes)


@pytest.mark.parametrize("value", [None, 1, 1.5, True, [], [[]], {}, {"a": []}, "", "x" * 100_000])
@pytest.mark.parametrize("key", [*ENTRY, "_AUDIT_LOGINUID", "_SYSTEMD_SESSION", "_CMDLINE"])
def test_no_member_s_type_raises_anything_else(key: str, value: object) -> None:
    document = {**ENTRY, key: value}
    if key != "SYSLOG_IDENTIFIER":
        assert decode(document, Around())
        return
    try:
        assert decode(document, Around())
    except NotThisFormatError:
        assert value not in (None, [], "")


@pytest.mark.parametrize(
    "value", [None, 1, [], {}, "x", {"process": []}, {"process": {"name": {}}}]
)
@pytest.mark.parametrize("key", ["journald", "host", "systemd", "message"])
def test_filebeat_s_members_may_be_of_any_type(key: str, value: object) -> None:
    document = {
        "message": ACCEPTED,
        "journald": {"pid": 1},
        "syslog": {"identifier": "sshd"},
        key: value,
    }
    if recognizes(document):
        assert decode(document, Around())


@pytest.mark.parametrize(
    ("document", "is_one"),
    [
        (ENTRY, True),
        ({"MESSAGE": "x", "_BOOT_ID": "b"}, True),
        ({"message": "x", "_BOOT_ID": "b", "host": "h"}, True),
        ({"message": "x", "journald": {"pid": 1}}, True),
        ({"message": "x", "journald": 1}, False),
        ({"MESSAGE": "x"}, False),
        ({"message": "x", "@timestamp": "x", "host": {"name": "h"}}, False),
        ({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "x"}, False),
        ({"output": "x", "rule": "x", "priority": "Notice", "output_fields": {}}, False),
        ({}, False),
    ],
)
def test_entries_are_told_from_other_documents(document: dict[str, Any], is_one: bool) -> None:
    assert recognizes(document) is is_one


@pytest.mark.parametrize(
    ("message", "is_trusted"),
    [
        ("Disconnected from user alice 192.0.2.1 port 5", True),
        ("Received disconnect from 192.0.2.1 port 5:11: disconnected by user", True),
        ("Starting session: shell on pts/0 for alice from 192.0.2.1 port 5 id 0", True),
        ("Close session: user alice from 192.0.2.1 port 5 id 0", True),
        ("Failed password for alice from 192.0.2.1 port 5 ssh2", False),
        ("pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)", False),
    ],
)
def test_sshd_speaks_as_the_user_once_there_is_a_session(message: str, is_trusted: bool) -> None:
    seen = one(MESSAGE=message, _UID="1000")
    assert seen.issues == ([] if is_trusted else ["identifier-not-trusted"])


def test_what_a_forger_claims_is_in_the_message_alone() -> None:
    seen = one(_EXE="/usr/bin/logger", _COMM="logger", _SYSTEMD_SESSION="7")
    assert seen.fields == {
        "event.dataset": "system.auth",
        "event.provider": "sshd",
        "event.action": Action.OTHER,
        "event.outcome": "unknown",
        "message": ACCEPTED,
        "@timestamp": "2026-11-21T10:00:00.123456Z",
        "host.name": "node-1",
        "process.pid": 12,
        "process.executable": "/usr/bin/logger",
        "trailwarden.session.id": "7",
    }
