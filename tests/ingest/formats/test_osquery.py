from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.formats.osquery import decode, recognizes
from ingest.formats.seen import Around, Fields, NotThisFormatError

TIME = "2026-11-21T09:46:08.000000Z"


def result(columns: Any, name: str = "q", **members: Any) -> dict[str, Any]:
    return {
        "name": name,
        "hostIdentifier": "node-1",
        "unixTime": "1795254400",
        "counter": "5",
        "action": "added",
        "columns": columns,
        **members,
    }


def fields(columns: Any, name: str = "q", **members: Any) -> Fields:
    (seen,) = decode(result(columns, name, **members), Around())
    return seen.fields


def said(found: Fields, *names: str) -> list[Any]:
    return [found.get(name) for name in names]


@pytest.mark.parametrize(
    ("word", "action"),
    [
        ("CREATED", "file-create"),
        ("UPDATED", "file-modify"),
        ("DELETED", "file-delete"),
        ("MOVED_FROM", "file-rename"),
        ("MOVED_TO", "file-rename"),
        ("OPENED", "file-open"),
        ("ACCESSED", "file-open"),
        ("COLLISION_WITHIN", "other"),
    ],
)
def test_changes_of_files(word: str, action: str) -> None:
    found = fields({"target_path": "/x", "action": word, "time": "1795254368"})
    assert said(found, "event.action", "file.path", "@timestamp") == [action, "/x", TIME]


def test_a_link_is_the_new_name() -> None:
    row = {"operation": "symlink", "path": "/etc/shadow", "dest_path": "/srv/x", "pid": "7"}
    found = fields(row)
    assert said(found, "file.path", "file.target_path") == ["/srv/x", "/etc/shadow"]
    found = fields({**row, "operation": "rename"})
    assert said(found, "event.action", "file.path", "file.target_path") == [
        "file-rename",
        "/etc/shadow",
        "/srv/x",
    ]


def test_processes_seen_by_bpf_and_on_macos() -> None:
    row = {"cmdline": "sh -c id", "path": "/bin/sh", "pid": "7", "parent": "1", "ntime": "5"}
    bpf = fields({**row, "exit_code": "-2", "syscall": "execve"})
    assert said(bpf, "event.action", "event.outcome", "process.parent.pid") == [
        "process-start",
        "failure",
        1,
    ]
    ended = fields({**row, "event_type": "exit", "exit_code": "3", "env": "PASSWORD=x"})
    assert said(ended, "event.action", "process.exit_code") == ["process-end", 3]
    assert "PASSWORD" not in repr(ended)


def test_a_list_of_running_processes_is_no_start() -> None:
    found = fields({"cmdline": "sh", "path": "/bin/sh", "pid": "7", "name": "sh", "state": "S"})
    assert said(found, "event.action", "event.code") == ["other", None]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"action": "bind", "success": "1"}, ["network-listen", "success", "192.0.2.1", 80, None]),
        (
            {"action": "accept", "status": "succeeded"},
            ["network-accept", "success", "192.0.2.2", 99, "192.0.2.1"],
        ),
        (
            {"action": "connect", "status": "in_progress"},
            ["network-connect", "unknown", "192.0.2.1", 80, "192.0.2.2"],
        ),
        (
            {"syscall": "connect", "exit_code": "0"},
            ["network-connect", "success", "192.0.2.1", 80, "192.0.2.2"],
        ),
    ],
)
def test_connections(columns: dict[str, str], expected: list[Any]) -> None:
    ends = {
        "local_address": "192.0.2.1",
        "local_port": "80",
        "remote_address": "192.0.2.2",
        "remote_port": "99",
        "pid": "7",
    }
    found = fields({**ends, **columns})
    names = ("event.action", "event.outcome", "source.ip", "source.port", "destination.ip")
    assert said(found, *names) == expected


@pytest.mark.parametrize(
    ("code", "outcome"), [("0", "success"), ("-111", "failure"), ("-115", "unknown")]
)
def test_a_connection_that_is_under_way_has_not_failed(code: str, outcome: str) -> None:
    row = {"syscall": "connect", "remote_address": "192.0.2.2", "pid": "7", "exit_code": code}
    assert fields(row)["event.outcome"] == outcome


def test_open_sockets_are_no_connections_made() -> None:
    row = {"local_address": "", "remote_address": "192.0.2.2", "pid": "7", "state": "LISTEN"}
    assert fields(row)["event.action"] == "other"


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        (1112, 'op=login acct="jane" res=success\'', ["login", "success", "jane", None]),
        (
            1105,
            "op=PAM:session_open acct=6A616E65 res=1'",
            ["session-start", "success", "jane", None],
        ),
        (1114, 'op=add-user acct="toor" res=success', ["account-create", "success", None, "toor"]),
        (1103, 'op=PAM:setcred acct="jane" res=failed', ["other", "failure", "jane", None]),
        (1100, "", ["authenticate", "unknown", None, None]),
        (
            1100,
            'op=login acct="x res=success y" res=failed\'',
            ["authenticate", "failure", "x res=success y", None],
        ),
    ],
)
def test_user_events(kind: int, message: str, expected: list[Any]) -> None:
    row = {"type": kind, "message": message, "terminal": "?", "address": "?", "uid": "0"}
    found = fields(row)
    names = ("event.action", "event.outcome", "user.name", "user.target.name")
    assert said(found, *names) == expected
    assert found["source.ip"] is None


def test_a_sudo_command_is_decoded() -> None:
    row = {
        "type": "1123",
        "message": 'cwd="/root" cmd=6964202D61 res=success\'',
        "terminal": "pts/0",
    }
    found = fields({**row, "address": "", "uid": "1000"})
    assert said(found, "event.action", "process.command_line", "user.id") == [
        "run-as",
        "id -a",
        "1000",
    ]


@pytest.mark.parametrize(
    ("kind", "user", "action"),
    [
        ("7", "jane", "login"),
        ("8", "", "logout"),
        ("2", "reboot", "boot"),
        ("1", "shutdown", "shutdown"),
    ],
)
def test_login_records(kind: str, user: str, action: str) -> None:
    row = {
        "username": user,
        "tty": "pts/0",
        "type": kind,
        "time": "1795254368",
        "host": "192.0.2.9",
    }
    assert said(fields(row, counter="0"), "event.action", "@timestamp") == [action, TIME]


STATE: list[tuple[dict[str, str], str, str]] = [
    ({"user": "jane", "tty": "pts/0", "host": "192.0.2.9", "type": "user"}, "login", "logout"),
    ({"username": "bob", "uid": "1", "shell": "/bin/sh"}, "account-create", "account-delete"),
    ({"groupname": "wheel", "gid": "10"}, "group-change", "group-change"),
    ({"key_file": "/root/.ssh/authorized_keys", "key": "AAAA"}, "file-modify", "file-modify"),
    ({"command": "id", "minute": "1", "path": "/etc/crontab"}, "file-modify", "file-modify"),
    ({"path": "/bin/su", "permissions": "S"}, "file-attributes", "file-attributes"),
    ({"source": "/etc/apt/x.list", "base_uri": "http://x"}, "file-modify", "file-modify"),
    ({"name": "evil", "used_by": "-", "status": "Live"}, "module-load", "other"),
]


@pytest.mark.parametrize(("row", "added", "removed"), STATE)
def test_differences_of_what_there_is_are_acts(
    row: dict[str, str], added: str, removed: str
) -> None:
    assert fields(row)["event.action"] == added
    assert fields(row, action="removed")["event.action"] == removed


@pytest.mark.parametrize(("row", "added", "removed"), STATE)
def test_what_there_was_before_is_no_act(row: dict[str, str], added: str, removed: str) -> None:
    del added, removed
    for members in ({"counter": 0}, {"counter": "0", "action": "removed"}, {"action": "snapshot"}):
        found = fields(row, **members)
        assert said(found, "event.action", "event.outcome") == ["other", "unknown"]


def test_the_going_of_an_events_row_is_no_act() -> None:
    found = fields({"target_path": "/x", "action": "DELETED"}, action="removed")
    assert said(found, "event.action", "event.outcome") == ["other", "unknown"]


def test_a_key_is_named_by_its_fingerprint() -> None:
    key = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
    row = {"key_file": "/root/.ssh/authorized_keys", "algorithm": "ssh-ed25519", "key": key}
    kept = json.loads(fields(row)["trailwarden.tool.fields"])
    assert kept["fingerprint"] == "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA"
    assert "fingerprint" not in json.loads(
        fields({**row, "key": "no base64"})["trailwarden.tool.fields"]
    )


@pytest.mark.parametrize(
    ("name", "manager"), [("pack_x_deb_packages", "dpkg"), ("rpm_packages", "rpm"), ("apps", None)]
)
def test_the_name_decides_where_columns_fit_many(name: str, manager: str | None) -> None:
    found = fields({"name": "nc", "version": "1"}, name)
    assert found.get("trailwarden.package.manager") == manager


def test_packages_of_a_first_run_are_not_installed() -> None:
    found = fields({"name": "nc", "version": "1", "release": "2"}, counter=0)
    assert said(found, "package.name", "trailwarden.package.action") == [["nc"], None]
    found = fields({"name": "nc", "version": "1", "release": "2"}, action="removed")
    assert found["trailwarden.package.action"] == "remove"


def test_a_snapshot_of_events_is_its_events() -> None:
    rows = [{"target_path": path, "action": "CREATED", "time": "1795254368"} for path in "ab"]
    document = result(None, action="snapshot") | {"snapshot": rows}
    del document["columns"]
    seen = decode(document, Around())
    assert [one.fields["file.path"] for one in seen] == ["a", "b"]
    assert {one.fields["@timestamp"] for one in seen} == {TIME}


def test_an_empty_side_of_a_batch_is_written_as_text() -> None:
    document = result(None) | {"diffResults": {"removed": "", "added": [{"x": 1}]}}
    del document["columns"]
    (seen,) = decode(document, Around())
    assert seen.issues == []


@pytest.mark.parametrize(
    "rows",
    [
        {"columns": {}},
        {"columns": "x"},
        {"snapshot": []},
        {"diffResults": {}},
        {"diffResults": "x"},
    ],
)
def test_a_result_without_rows_is_refused(rows: dict[str, Any]) -> None:
    with pytest.raises(NotThisFormatError):
        decode({"name": "q", "unixTime": 1, "hostIdentifier": "n", **rows}, Around())


@pytest.mark.parametrize(
    ("members", "host"),
    [
        ({}, "node-1"),
        ({"decorations": {"hostname": "a", "username": "b"}}, "a"),
        ({"decorations": {"host_uuid": "u"}}, "node-1"),
        ({"hostname": "top"}, "top"),
        ({"decorations": "x"}, "node-1"),
    ],
)
def test_the_host_is_named_by_a_decoration_if_there_is_one(
    members: dict[str, Any], host: str
) -> None:
    assert fields({"x": "1"}, **members)["host.name"] == host


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"name": "x", "hostIdentifier": "n", "columns": {}},
        {"unixTime": 1, "name": "x", "columns": {}},
        {"hostIdentifier": "n", "unixTime": 1, "message": "a status log", "severity": "0"},
        {"kind": "Event", "auditID": "x", "apiVersion": "audit.k8s.io/v1"},
        {"eventName": "execve", "processName": "x", "hostName": "n", "args": []},
    ],
)
def test_other_documents_are_not_recognized(other: dict[str, Any]) -> None:
    assert not recognizes(other)


def test_unknown_columns_stay_short_and_keep_no_values_of_secrets() -> None:
    found = fields({"a" * 1_000_000: "b", "c": "d" * 1_000_000, "value": "hunter2", "e": "f"})
    text = found["trailwarden.tool.fields"]
    assert len(text) < 4_096
    assert "hunter2" not in text
    assert json.loads(text)["e"] == "f"


@pytest.mark.parametrize("wrong", [1, [1, [2]], {"a": {"b": 1}}, True, 2**70, None, 1.5, "\x00"])
@pytest.mark.parametrize(("row", "added", "removed"), STATE)
def test_wrong_types_raise_nothing(
    row: dict[str, str], added: str, removed: str, wrong: Any
) -> None:
    del removed
    assert fields(dict.fromkeys(row, wrong), name="x")["event.action"] in {added, "other"}
    found = decode(result(row, name=wrong, unixTime=wrong, decorations=wrong), Around())
    assert found[0].fields["event.dataset"] == "osquery.result"
