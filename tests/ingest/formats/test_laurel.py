"""Laurel's JSON: what the golden records do not show."""

from __future__ import annotations

from typing import Any

import pytest

from ingest.formats import auditd, laurel
from ingest.formats.seen import Around, NotThisFormatError, Seen

ID = "1626611363.720:348501"
CODE = 'use Socket;$i="192.0.2.1";'
RAW = f"""\
node=a.example.com type=SYSCALL msg=audit({ID}): arch=c000003e syscall=59 success=yes exit=0 a0=55 \
a1=56 a2=57 a3=f6 items=3 ppid=72 pid=73 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 \
fsgid=0 tty=pts3 ses=3 comm="perl" exe="/usr/bin/perl" subj==unconfined key="exec"\x1dARCH=x86_64 \
SYSCALL=execve AUID="user" UID="root" GID="root" EUID="root"
node=a.example.com type=EXECVE msg=audit({ID}): argc=3 a0="perl" a1="-e" a2={CODE.encode().hex()}
node=a.example.com type=CWD msg=audit({ID}): cwd="/root"
node=a.example.com type=PATH msg=audit({ID}): item=0 name="./x.pl" inode=4 dev=fd:01 mode=0100755 \
ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
node=a.example.com type=PROCTITLE msg=audit({ID}): proctitle=7065726C"""

CALL: dict[str, Any] = {
    "arch": "0xc000003e",
    "syscall": 59,
    "success": "yes",
    "exit": 0,
    "items": 3,
    "ppid": 72,
    "pid": 73,
    "auid": 1000,
    "uid": 0,
    "gid": 0,
    "euid": 0,
    "suid": 0,
    "fsuid": 0,
    "egid": 0,
    "sgid": 0,
    "fsgid": 0,
    "tty": "pts3",
    "ses": 3,
    "comm": "perl",
    "exe": "/usr/bin/perl",
    "subj": "=unconfined",
    "key": "exec",
    "ARCH": "x86_64",
    "SYSCALL": "execve",
    "AUID": "user",
    "UID": "root",
    "GID": "root",
    "EUID": "root",
    "ARGV": ["0x55", "0x56", "0x57", "0xf6"],
}
DOCUMENT: dict[str, Any] = {
    "ID": ID,
    "NODE": "a.example.com",
    "SYSCALL": CALL,
    "EXECVE": {"argc": 3, "ARGV": ["perl", "-e", CODE]},
    "CWD": {"cwd": "/root"},
    "PATH": [
        {"item": 0, "name": "./x.pl", "inode": 4, "mode": "0o100755", "ouid": 0, "ogid": 0}
        | {"nametype": "NORMAL"}
    ],
    "PROCTITLE": {"ARGV": ["perl"]},
}
OTHER_CALLS = [
    ({"syscall": 87, "SYSCALL": "unlink"}, "syscall=87", "SYSCALL=unlink"),
    ({"syscall": 90, "SYSCALL": "chmod"}, "syscall=90", "SYSCALL=chmod"),
    ({"syscall": 101, "SYSCALL": "ptrace"}, "syscall=101", "SYSCALL=ptrace"),
    ({"syscall": 257, "SYSCALL": "openat"}, "syscall=257", "SYSCALL=openat"),
]
MESSAGES = [
    'op=login acct="alice" exe="/usr/sbin/sshd" hostname=? addr=192.0.2.1 terminal=ssh res=success',
    'op=PAM:authentication acct=28696E76616C6964207573657229 exe="/usr/sbin/sshd" res=failed',
]


def decoded(document: dict[str, Any]) -> Seen:
    (one,) = laurel.decode(document, Around())
    return one


def said(one: Seen) -> dict[str, Any]:
    return {key: value for key, value in one.fields.items() if value is not None}


def test_the_same_event_raw_and_in_laurels_form_is_the_same_event() -> None:
    (raw,) = auditd.decode_text(RAW, Around())
    ours = decoded(DOCUMENT)
    assert said(ours) == said(raw)
    assert said(ours)["file.path"] == "/root/x.pl"
    assert ours.identity == raw.identity
    assert ours.identity is not None
    assert not ours.issues


@pytest.mark.parametrize(("change", "number", "name"), OTHER_CALLS)
def test_so_are_other_calls(change: dict[str, Any], number: str, name: str) -> None:
    text = RAW.replace("syscall=59", number).replace("SYSCALL=execve", name)
    (raw,) = auditd.decode_text(text, Around())
    ours = decoded(DOCUMENT | {"SYSCALL": CALL | change})
    assert said(ours) == said(raw)
    assert ours.identity == raw.identity


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("is_listed", [True, False])
@pytest.mark.parametrize("kind", ["USER_LOGIN", "USER_AUTH"])
def test_so_are_messages_of_user_space(message: str, is_listed: bool, kind: str) -> None:
    text = (
        f"type={kind} msg=audit({ID}): pid=7 uid=0 auid=4294967295 ses=4294967295 msg='{message}'"
    )
    (raw,) = auditd.decode_text(text, Around())
    record = {"pid": 7, "uid": 0, "auid": 4294967295, "ses": 4294967295, "msg": message}
    ours = decoded({"ID": ID, kind: [record] if is_listed else record})
    assert said(ours) == said(raw)
    assert ours.identity == raw.identity


def test_a_message_may_be_an_object() -> None:
    inner = {"op": "login", "acct": "alice", "exe": "/usr/sbin/sshd", "res": "success"}
    found = said(decoded({"ID": ID, "USER_LOGIN": {"pid": 7, "uid": 0, "msg": inner}}))
    assert (found["user.name"], found["event.outcome"]) == ("alice", "success")


@pytest.mark.parametrize(
    "parent",
    [
        {"PPID": {"exe": "/bin/bash", "comm": "bash"}},
        {"PARENT_INFO": {"ID": "1.2:3", "exe": "/bin/bash", "comm": "bash", "ppid": 1}},
        {"SYSCALL": CALL | {"PPID": {"EVENT_ID": "1.2:3", "exe": "/bin/bash", "comm": "bash"}}},
    ],
)
def test_the_parent_is_where_a_version_puts_it(parent: dict[str, Any]) -> None:
    found = said(decoded(DOCUMENT | parent))
    assert found["process.parent.executable"] == "/bin/bash"
    assert found["process.parent.name"] == "bash"


def test_the_container_is_told() -> None:
    assert said(decoded(DOCUMENT | {"CONTAINER_INFO": {"ID": "abc"}}))["container.id"] == "abc"


def test_names_alone_are_enough_where_laurel_drops_numbers() -> None:
    call = {key: CALL[key] for key in CALL if key not in {"arch", "syscall", "auid", "uid", "euid"}}
    found = said(decoded(DOCUMENT | {"SYSCALL": call}))
    assert found["trailwarden.syscall"] == "execve"
    assert (found["user.name"], found["user.audit.name"]) == ("root", "user")
    assert "user.id" not in found


def test_a_command_may_be_one_text() -> None:
    found = said(decoded(DOCUMENT | {"EXECVE": {"argc": 2, "ARGV_STR": "ls 100%25 a%0ab"}}))
    assert found["process.command_line"] == "ls 100% a\nb"
    assert "process.args" not in found


def test_selinux_is_a_list_of_words() -> None:
    record = {"denied": ["read", "open"], "pid": 7, "comm": "x", "tclass": "file"}
    found = said(decoded({"ID": ID, "AVC": [record], "SYSCALL": CALL}))
    assert (found["event.code"], found["event.outcome"]) == ("AVC", "failure")
    assert '"avc":"denied read open"' in found["trailwarden.tool.fields"]


def test_integers_of_any_size_cost_their_field_alone() -> None:
    for number in (2**53 + 1, 2**63, 2**64, -(2**70)):
        found = said(decoded(DOCUMENT | {"SYSCALL": CALL | {"pid": number, "ppid": number}}))
        assert found.get("process.pid", 0) < 2**63
        assert found["process.executable"] == "/usr/bin/perl"


def test_its_own_documents_are_recognized() -> None:
    assert laurel.recognizes(DOCUMENT)
    assert laurel.recognizes({"ID": "1.2:3", "USER_LOGIN": {}})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"ID": ID},
        {"ID": 7, "SYSCALL": {}},
        {"ID": "abc", "SYSCALL": {}},
        {"kind": "Event", "auditID": "x"},
        {"ID": ID, "message": "x"},
        {"auditd": {}, "@timestamp": "x"},
        {"ID": "sha256:abc.d", "Names": ["a"], "Image": "b"},
    ],
)
def test_others_are_not(document: dict[str, Any]) -> None:
    assert not laurel.recognizes(document)


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], [[]], True])
def test_a_document_without_records_is_refused(value: object) -> None:
    with pytest.raises(NotThisFormatError):
        laurel.decode({"ID": ID, "SYSCALL": value}, Around())


@pytest.mark.parametrize("value", [None, True, 2**64, 0.5, "", "x" * 1_000_000, [], {}, [[{}]]])
def test_a_wrong_type_never_raises(value: object) -> None:
    for kind in DOCUMENT:
        if kind != "ID":
            decoded(DOCUMENT | {kind: value})
    for key in CALL:
        found = decoded(DOCUMENT | {"SYSCALL": CALL | {key: value}})
        assert found.fields["event.dataset"]
    for kind in ("EXECVE", "CWD", "PROCTITLE", "SOCKADDR", "USER_AUTH", "PPID", "CONTAINER_INFO"):
        for key in ("ARGV", "ARGV_STR", "cwd", "saddr", "msg", "ID", "exe"):
            decoded(DOCUMENT | {kind: {key: value}})


def test_only_numbers_are_octal() -> None:
    call = CALL | {"comm": "0ops", "exe": "/opt/0o7", "key": "0o755"}
    found = said(decoded(DOCUMENT | {"SYSCALL": call}))
    assert (found["process.name"], found["trailwarden.tool.rule"]) == ("0ops", "0o755")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/a%20b%25", "/a b%"),
        ("/a\\x41%41", "/a\\x41A"),
        ("/a\\%", "/a\\%"),
        ("/100%x", "/100%x"),
        ("/é%c3%a9%4", "/éé%4"),
    ],
)
def test_only_percent_signs_with_two_digits_encode(text: str, name: str) -> None:
    call = CALL | {"syscall": 87, "SYSCALL": "unlink"}
    path = {"name": text, "nametype": "DELETE"}
    assert said(decoded(DOCUMENT | {"SYSCALL": call, "PATH": [path]}))["file.path"] == name
