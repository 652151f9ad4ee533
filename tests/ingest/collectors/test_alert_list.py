from __future__ import annotations

import random

import msgspec
import pytest

from ingest.collectors import alert_list as module
from ingest.collectors.alert_list import split
from ingest.collectors.event_list import MAX_EVENTS, NotJsonError, TooManyEventsError

ALERT = b'{"rule":"r", "output":"a\\n{}]", "n":1.50}'
PRETTY = b'{\n  "rule": "r",\n\n  "output_fields": {}\n}'

# What may stand in a process's name, and strict decoders refuse.
HOSTILE = {
    "deep": b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "control character": b'{"a":"\x01"}',
    "not UTF-8": b'{"a":"\xff"}',
    "leading zero": b'{"a":01}',
    "bare word": b'{"a":nope}',
    "brackets in a string": b'{"a":"]}],[{\\"]"}',
}


def found_in(body: bytes) -> list[bytes]:
    found = split(body)
    return module.scan(body) if found is None else found


@pytest.mark.parametrize("alert", [ALERT, PRETTY, *HOSTILE.values()])
def test_an_object_is_one_alert_byte_for_byte(alert: bytes) -> None:
    assert found_in(b" \r\n" + alert + b"\n") == [alert]
    assert module.scan(alert) == [alert]


def test_arrays_and_lines_are_several() -> None:
    assert found_in(b"[" + ALERT + b" ,\n" + PRETTY + b"]") == [ALERT, PRETTY]
    assert found_in(ALERT + b"\n" + ALERT + b"\r\n\n" + ALERT + b"\n") == [ALERT] * 3
    assert found_in(PRETTY + b"\n" + PRETTY) == [PRETTY] * 2
    assert found_in(b" [ ] ") == []


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_wrong_in_one_alert_costs_no_other(hostile: bytes) -> None:
    assert found_in(b"[" + ALERT + b"," + hostile + b"," + ALERT + b"]") == [ALERT, hostile, ALERT]
    assert found_in(ALERT + b"\n" + hostile + b"\n" + ALERT) == [ALERT, hostile, ALERT]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"10:40:00.1: Notice A shell was spawned",
        b"7",
        b'"text"',
        b"{",
        b'{"a":1',
        b'{"a":1}x',
        b'{"a":1}\n7',
        b"[{}",
        b"[{}]]",
        b"[{}][{}]",
        b"[{} {}]",
        b"\xff",
    ],
)
def test_what_is_no_alert_is_refused(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        found_in(body)


def test_there_is_a_most() -> None:
    assert len(found_in(b"{}\n" * MAX_EVENTS)) == MAX_EVENTS
    for body in (b"{}\n" * (MAX_EVENTS + 1), b"[" + b"{}," * MAX_EVENTS + b"{}]"):
        with pytest.raises(TooManyEventsError):
            split(body)
        with pytest.raises(TooManyEventsError):
            module.scan(body)


def test_a_large_body_of_numbers_is_not_decoded() -> None:
    body = b"[" + b"1," * (1 << 19) + b"1]"
    assert split(body) is None
    with pytest.raises(TooManyEventsError):
        module.scan(body)


def test_scanning_and_decoding_split_alike() -> None:
    seeded = random.Random(11)
    for _ in range(200):
        alerts = [
            msgspec.json.encode({"rule": "r" * seeded.randrange(3), "x": [{}, '"]}\n'][: n % 3]})
            for n in range(seeded.randrange(1, 6))
        ]
        blank = seeded.choice([b"", b" ", b"\n\t "])
        array = b"[" + (blank + b"," + blank).join(alerts) + blank + b"]"
        assert split(array) == module.scan(array) == alerts
        lines = b"\n".join(alerts)
        assert split(lines) == module.scan(lines) == alerts
