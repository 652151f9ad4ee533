"""Whatever a shipper wraps around an audit event is taken off, and nothing else is touched."""

from __future__ import annotations

import json

import pytest

from ingest.collectors.unwrapping import records_of

EVENT = b'{"kind":"Event","auditID":"a","stage":"Panic","verb":"get", "requestURI":"/\\u00e9"}'
OTHER = b'{"kind": "Event" ,"auditID":"b"}'


def wrapped(key: str, line: bytes, **more: object) -> bytes:
    return json.dumps({"@timestamp": 1.5, "stream": "stdout", **more, key: line.decode()}).encode()


@pytest.mark.parametrize("key", ["log", "message"])
def test_a_wrapped_line_is_unwrapped_byte_for_byte(key: str) -> None:
    assert records_of(wrapped(key, EVENT)) == [EVENT]
    assert records_of(wrapped(key, EVENT + b"\n")) == [EVENT + b"\n"]


@pytest.mark.parametrize(
    "line",
    [
        b'type=CWD msg=audit(1763719200.120:501): cwd="/root"',
        b"<86>Nov 21 10:00:00 node-1 sshd[812]: Accepted password for alice from 192.0.2.1 port 9",
        b"Nov 21 10:00:00 node-1 sudo: alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
        b'time="2026-11-21T10:00:00Z" level=warning msg="access denied" error="x"',
    ],
)
def test_lines_of_text_are_unwrapped_too(line: bytes) -> None:
    assert records_of(wrapped("log", line)) == [line]
    assert records_of(wrapped("message", line, log={"file": {"path": "/var/log/a"}})) == [line]
    assert records_of(b"[" + wrapped("message", line) + b"," + EVENT + b"]") == [line, EVENT]


def test_filebeat_says_in_log_which_file_it_was() -> None:
    assert records_of(wrapped("message", EVENT, log={"file": {"path": "/a"}})) == [EVENT]


@pytest.mark.parametrize(
    "event",
    [
        {"event": {"module": "auditd"}, "auditd": {"message_type": "login"}},
        {"rule": "Terminal shell", "priority": "Notice", "output": "x", "output_fields": {}},
        {"MESSAGE": "x", "__REALTIME_TIMESTAMP": "1763719200120000"},
    ],
)
def test_an_event_that_repeats_its_line_stays_what_it_is(event: dict[str, object]) -> None:
    line = "type=LOGIN msg=audit(1763719200.120:501): pid=1 uid=0 auid=1 ses=1 res=1"
    value = json.dumps({"@timestamp": "2026-11-21T10:00:00Z", **event, "message": line}).encode()
    assert records_of(value) == [value]


def test_lists_become_one_record_an_event() -> None:
    assert records_of(b" [" + EVENT + b" ,\n" + OTHER + b"] ") == [EVENT, OTHER]
    event_list = b'{"kind":"EventList","items":[' + EVENT + b"," + OTHER + b"]}"
    assert records_of(event_list) == [EVENT, OTHER]


def test_wrappers_and_lists_nest() -> None:
    event_list = b'{"kind":"EventList","items":[' + EVENT + b"," + OTHER + b"]}"
    batch = b"[" + wrapped("log", event_list) + b"," + wrapped("message", OTHER) + b"]"
    assert records_of(batch) == [EVENT, OTHER, OTHER]


def test_what_is_left_of_a_cut_event_is_unwrapped() -> None:
    cut = EVENT[:-1] + b',"requestObject":{"a":"bc[Truncated...]'
    assert records_of(wrapped("message", cut)) == [cut]


@pytest.mark.parametrize(
    "value",
    [
        EVENT,
        b"not json",
        b"",
        b"{}",
        b"[]",
        b"[1, 2]",
        b"[" + EVENT + b", 1]",
        b"[" + EVENT,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\xfe",
        wrapped("log", b"I1121 12:00:00 klog text"),
        wrapped("log", b"{half"),
        wrapped("log", EVENT, kind="Event"),
        wrapped("log", EVENT, auditID="mine"),
        b'{"log": {"kind": "Event"}}',
        b'{"message": 5}',
        b'{"log": "\\ud800"}',
        b'{"kind":"EventList","items":[]}',
        b'{"kind":"EventList","items":[{]}',
        b'{"kind":"PodList","items":[{"a":1}]}',
        b'{"message":"EventList"}',
    ],
)
def test_anything_else_is_handed_on_untouched(value: bytes) -> None:
    assert records_of(value) == [value]


def test_wrappers_end_somewhere() -> None:
    value = EVENT
    for _ in range(8):
        value = wrapped("log", value)
    (record,) = records_of(value)
    assert record.startswith(b'{"@timestamp"')


def test_an_event_with_an_invalid_string_in_a_list_keeps_its_neighbours() -> None:
    bad = b'{"kind":"Event","auditID":"c","requestObject":{"a":"\\ud800"}}'
    event_list = b'{"kind":"EventList","items":[' + EVENT + b"," + bad + b"," + OTHER + b"]}"
    assert records_of(event_list) == [EVENT, bad, OTHER]
