from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from ingest.formats.file_integrity import decode, recognizes
from ingest.formats.file_mode import file_mode
from ingest.formats.seen import Around, Fields, NotThisFormatError


def document(**members: Any) -> dict[str, Any]:
    return {
        "@timestamp": "2026-11-21T10:00:00Z",
        "event": {"module": "file_integrity", "action": ["updated"]},
        "file": {"path": "/etc/passwd"},
        **members,
    }


def fields(found: dict[str, Any]) -> Fields:
    (seen,) = decode(found, Around())
    return seen.fields


@pytest.mark.parametrize(
    ("actions", "action"),
    [
        (["created", "deleted"], "file-create"),
        (["moved", "created"], "file-create"),
        (["updated", "deleted"], "file-delete"),
        (["updated", "moved"], "file-rename"),
        (["attributes_modified", "updated"], "file-modify"),
        (["attributes_modified"], "file-attributes"),
        (["config_change"], "other"),
        (["none"], "other"),
        ("updated", "file-modify"),
        ([], "other"),
        (None, "other"),
    ],
)
def test_of_several_actions_the_one_that_says_most_is_taken(actions: Any, action: str) -> None:
    found = fields(document(event={"module": "file_integrity", "action": actions}))
    assert found["event.action"] == action
    named = actions if isinstance(actions, list) else [actions] if actions else []
    assert found["event.code"] == (",".join(named) or None)


def test_an_agent_is_told_from_auditbeat_by_its_dataset_alone() -> None:
    event = {"dataset": "fim.event", "action": ["created"]}
    assert recognizes(document(event=event))
    assert fields(document(event=event))["event.provider"] == "elastic-agent"


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"event": {"module": "auditd", "dataset": "auditd.log"}},
        {"event": {"module": "system", "dataset": "system.auth"}, "file": {"path": "/x"}},
        {"event": "file_integrity"},
        {"kind": "Event", "auditID": "x", "apiVersion": "audit.k8s.io/v1"},
        {"syscheck": {"path": "/x"}, "rule": {}},
        {"rule": "x", "output_fields": {}, "priority": "Critical"},
    ],
)
def test_other_documents_are_not_recognized(other: dict[str, Any]) -> None:
    assert not recognizes(other)


@pytest.mark.parametrize("file", [None, {}, {"path": None}, "x", {"path": ""}])
def test_an_event_without_a_file_is_refused(file: Any) -> None:
    with pytest.raises(NotThisFormatError):
        decode(document(file=file), Around())


def test_dotted_and_nested_keys_may_be_mixed() -> None:
    mixed: dict[str, Any] = {
        "event": {"module": "file_integrity"},
        "event.action": ["deleted"],
        "file": {"path": "/a"},
        "file.hash": {"md5": "m"},
        "file.hash.sha256": "h",
        "process.user": {"id": "3"},
        "process.user.name": "jane",
        "host.name": "n",
    }
    found = fields(mixed)
    assert found["event.action"] == "file-delete"
    assert (found["file.path"], found["file.hash.sha256"], found["file.hash.md5"]) == (
        "/a",
        "h",
        "m",
    )
    assert (found["user.name"], found["user.id"], found["host.name"]) == ("jane", "3", "n")
    assert mixed["file"] == {"path": "/a"}
    assert mixed["file.hash"] == {"md5": "m"}


def test_a_dotted_key_in_the_way_of_another_raises_nothing() -> None:
    found = fields({"event.module": "file_integrity", "file": "x", "file.path": "/a", "..": 1})
    assert found["file.path"] == "/a"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("0644", "0644"),
        ("644", "0644"),
        ("0100755", "0755"),
        ("100755", "0755"),
        ("4755", "4755"),
        ("rw-r--r--", "0644"),
        ("-rwxr-xr-x", "0755"),
        ("rwsr-sr-t", "7755"),
        ("rwSr--r-T", "5644"),
        ("rwxrwxrwxrwx", None),
        ("rwrrwxrwx", None),
        ("8", None),
        ("", None),
        ("Administrators (allowed): read", None),
        ("7" * 40, None),
    ],
)
def test_modes_have_four_octal_digits(text: str, mode: str | None) -> None:
    assert file_mode(text) == mode


def test_special_bits_join_the_mode() -> None:
    found = fields(document(file={"path": "/x", "mode": "0755", "setuid": True, "setgid": "true"}))
    assert found["file.mode"] == "6755"


def test_nested_members_deeper_than_json_can_be_written_cost_nothing_else() -> None:
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    found = fields(document(file={"path": "/x", "origin": deep, "selinux": "s"}, error=deep))
    assert orjson.loads(found["trailwarden.tool.fields"]) == {
        "origin": "...",
        "selinux": "s",
        "error": "...",
    }


def test_what_has_no_column_stays_short() -> None:
    found = fields(document(file={"path": "/x", "origin": ["a" * 10_000], "selinux": "s"}))
    assert json.loads(found["trailwarden.tool.fields"]) == {"origin": "...", "selinux": "s"}


@pytest.mark.parametrize("wrong", [1, "x", [1], {"a": {"b": 1}}, True, 2**70, None, 1.5])
@pytest.mark.parametrize(
    "place", ["@timestamp", "event", "host", "hash", "process", "user", "container", "error"]
)
def test_wrong_types_cost_their_field_alone(place: str, wrong: Any) -> None:
    assert fields(document(**{place: wrong}))["file.path"] == "/etc/passwd"
