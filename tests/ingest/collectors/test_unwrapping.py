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
