from __future__ import annotations

import json
from typing import Any

import pytest

from ingest.formats.seen import Around, Fields, NotThisFormatError, Seen
from ingest.formats.wazuh import decode, recognizes


def alert(check: Any = None, **members: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-11-21T10:00:00.000+0000",
        "rule": {"id": "550", "level": 7},
        "agent": {"id": "001", "name": "db-1"},
        "manager": {"name": "wazuh"},
        "id": "1795254400.17987",
        "syscheck": {"path": "/etc/passwd", "event": "modified", **(check or {})},
        **members,
    }


def one(document: dict[str, Any]) -> Seen:
    (seen,) = decode(document, Around())
    return seen


def fields(check: Any = None, **members: Any) -> Fields:
    return one(alert(check, **members)).fields


@pytest.mark.parametrize(
    ("check", "action"),
    [
        ({}, "file-modify"),
        ({"event": "added"}, "file-create"),
        ({"event": "readded"}, "file-create"),
        ({"event": "deleted"}, "file-delete"),
        ({"event": "what"}, "other"),
        ({"event": None}, "other"),
        ({"changed_attributes": ["mtime", "sha256"]}, "file-modify"),
        ({"changed_attributes": ["inode", "permission"]}, "file-attributes"),
        ({"changed_attributes": ["mtime"], "sha256_after": "a"}, "file-attributes"),
        ({"changed_attributes": ["mtime"]}, "file-modify"),
        ({"perm_before": "rw-------", "perm_after": "rw-rw-rw-"}, "file-attributes"),
        ({"size_before": "1", "size_after": "2"}, "file-modify"),
    ],
)
def test_what_changed_tells_what_was_done(check: dict[str, Any], action: str) -> None:
    assert fields(check)["event.action"] == action


def test_changed_attributes_are_worked_out_where_they_are_not_listed() -> None:
    check = {"size_before": "1", "size_after": "2", "uname_before": "a", "uname_after": "b"}
    same = {"md5_before": "x", "md5_after": "x", "gid_after": "0"}
    assert fields({**check, **same})["trailwarden.file.changed"] == ["size", "owner"]


def test_the_lines_of_a_file_are_kept_nowhere() -> None:
    secret = "password=hunter2"
    found = one(alert({"diff": secret}, full_log=secret, previous_output=secret, data=secret))
    assert "hunter2" not in repr(found)
    assert json.loads(found.fields["trailwarden.tool.fields"])["diff"] is True


@pytest.mark.parametrize(
    ("zone", "utc"),
    [("+0300", "07:00:00"), ("-0530", "15:30:00"), ("Z", "10:00:00"), ("", "10:00:00")],
)
def test_the_time_of_a_file_is_in_the_zone_of_its_alert(zone: str, utc: str) -> None:
    found = fields({"mtime_after": "2026-11-21T10:00:00"}, timestamp="2026-11-21T10:00:01.5" + zone)
    assert found["file.mtime"] == f"2026-11-21T{utc}.000000Z"


def test_the_same_alert_by_another_way_is_the_same_event() -> None:
    document = alert()
    wrapped = {"_index": "wazuh-alerts-4.x", "_source": {**document, "input": {"type": "log"}}}
    assert recognizes(wrapped)
    assert one(wrapped).identity == one(document).identity == ("wazuh", "1795254400.17987")
    assert one(wrapped).fields == one(document).fields


def test_an_alert_without_a_number_is_identified_by_its_bytes() -> None:
    assert one(alert(id=None)).identity is None
    assert one(alert(manager=None)).identity is None


def test_the_registry_holds_no_files() -> None:
    found = fields(
        {
            "path": "HKEY_LOCAL_MACHINE\\Software",
            "entry_type": "registry_value",
            "value_name": "Run",
            "arch": "[x64]",
        }
    )
    assert found["event.action"] == "other"
    assert "file.path" not in found
    assert json.loads(found["trailwarden.tool.fields"])["registry"] == {
        "path": "HKEY_LOCAL_MACHINE\\Software",
        "arch": "[x64]",
        "value_name": "Run",
    }


def test_a_key_of_the_registry_is_no_file_either() -> None:
    found = fields({"path": "HKEY_LOCAL_MACHINE\\Software", "arch": "[x32]", "event": "added"})
    assert (found["event.action"], found["event.code"]) == ("other", "added")
    assert "file.path" not in found


@pytest.mark.parametrize(("number", "known"), [("1000", "1000"), ("4294967295", None)])
def test_who_never_logged_in_has_no_login_uid(number: str, known: str | None) -> None:
    found = fields({"audit": {"login_user": {"id": number, "name": ""}}})
    assert found.get("user.audit.id") == known


def test_permissions_of_windows_are_no_mode() -> None:
    found = fields({"perm_after": "Administrators (allowed): DELETE|READ_CONTROL"})
    assert found["file.mode"] is None


def test_the_strongest_hash_before_is_kept() -> None:
    before = {"md5_before": "m", "sha1_before": "s"}
    assert fields(before)["trailwarden.file.hash_before"] == "s"
    assert fields({**before, "sha256_before": "l"})["trailwarden.file.hash_before"] == "l"


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"syscheck": {"path": "/x"}},
        {"rule": "Terminal shell", "output": "x", "priority": "Notice"},
        {"event": {"module": "file_integrity"}, "file": {"path": "/x"}, "agent": {"name": "x"}},
        {"kind": "Event", "auditID": "x", "apiVersion": "audit.k8s.io/v1"},
        {"_source": "x"},
    ],
)
def test_other_documents_are_not_recognized(other: dict[str, Any]) -> None:
    assert not recognizes(other)


@pytest.mark.parametrize("check", [None, "x", [], {}, {"path": ""}, {"path": None}])
def test_alerts_about_anything_else_are_refused(check: Any) -> None:
    document = alert() | {"syscheck": check}
    assert recognizes(document)
    with pytest.raises(NotThisFormatError):
        decode(document, Around())


@pytest.mark.parametrize("wrong", [1, "x", [1, [2]], {"a": {"b": 1}}, True, 2**70, None, 1.5])
@pytest.mark.parametrize("place", ["timestamp", "rule", "agent", "manager", "id"])
def test_wrong_types_cost_their_field_alone(place: str, wrong: Any) -> None:
    assert fields(**{place: wrong})["file.path"] == "/etc/passwd"


@pytest.mark.parametrize("wrong", [1, [1, [2]], {"a": {"b": 1}}, True, 2**70, None, 1.5, "\x00"])
def test_wrong_types_in_the_check_cost_their_field_alone(wrong: Any) -> None:
    keys = ("mode", "event", "size", "perm", "uid", "uname", "mtime", "inode", "md5", "sha256")
    check = {f"{key}_{when}": wrong for key in keys for when in ("before", "after")}
    check |= dict.fromkeys(("mode", "event", "tags", "tag", "audit", "entry_type"), wrong)
    check |= dict.fromkeys(("changed_attributes", "hard_links", "win_perm_after"), wrong)
    assert one(alert(check)).fields["event.dataset"] == "wazuh.syscheck"
