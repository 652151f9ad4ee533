from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from ingest.collectors import event_list as module
from ingest.collectors.event_list import MAX_EVENTS, NotJsonError, TooManyEventsError
from tests.ingest.collectors.webhook_fakes import event_list, events


def split(body: bytes) -> list[bytes]:
    found = module.split(body)
    return module.scan(body) if found is None else found


PLAIN = b'{"auditID":"a", "stage":"ResponseComplete" , "n":1.50, "s":"\\u00e9\xc3\xa9"}'
DEEP = b'{"auditID":"d","requestObject":' + b"[" * 5_000 + b"]" * 5_000 + b"}"

# What users may write into an object, and strict decoders refuse.
HOSTILE = {
    "deep": DEEP,
    "half a surrogate pair": b'{"a":"\\ud800"}',
    "leading zero": b'{"a":01}',
    "control character": b'{"a":"\x01"}',
    "not UTF-8": b'{"a":"\xff"}',
    "brackets in a string": b'{"a":"]}],[{\\"]"}',
    "bare word": b'{"a":nope}',
}


def test_an_event_list_becomes_its_events_byte_for_byte() -> None:
    assert split(event_list(PLAIN, b"{}", PLAIN)) == [PLAIN, b"{}", PLAIN]


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_a_user_wrote_into_one_event_costs_no_other_event(hostile: bytes) -> None:
    assert split(event_list(PLAIN, hostile, PLAIN)) == [PLAIN, hostile, PLAIN]


def test_scanning_and_decoding_split_alike() -> None:
    seeded = random.Random(5)
    for _ in range(200):
        values = [_value(seeded, 3) for _ in range(seeded.randrange(6))]
        blank = seeded.choice([b"", b" ", b"\n\t "])
        items = [msgspec.json.encode(value) for value in values]
        inner = (blank + b"," + blank).join(items)
        list_ = b'{"kind":"EventList","items":[' + blank + inner + blank + b'],"x":{"items":[7]}}'
        assert split(list_) == items
        if items:
            broken = list_.replace(b'"x":', b'"y":01,"x":')
            assert split(broken) == items


def _value(seeded: random.Random, depth: int) -> object:
    kind = seeded.randrange(6 if depth else 4)
    if kind < 4:
        return [seeded.randrange(9), 'te]x"t,\\', None, "é"][kind]
    if kind == 4:
        return [_value(seeded, depth - 1) for _ in range(seeded.randrange(4))]
    return {"items": _value(seeded, depth - 1), "k}": _value(seeded, depth - 1)}


@pytest.mark.parametrize("items", [b"null", b"[]", b" [ \n ] "])
def test_an_empty_list_has_no_events(items: bytes) -> None:
    assert split(b'{"kind":"EventList","items":' + items + b"}") == []


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        b'{"kind":"Event","auditID":"a","requestObject":{"items":[1,2]}}',
        b'{"auditID":"a","requestObject":{"items":[1,2]}}',
        b'{"kind":"PodList","items":[{}]}',
        b'{"kind":7,"items":[{}]}',
        b'{"kind":"EventList","items":{"a":1}}',
        b'{"kind":"EventList"}',
        b"[" + PLAIN + b"]",
        b'"text"',
        b"1",
        DEEP,
        b"[" * 5_000 + b"]" * 5_000,
    ],
)
def test_any_other_json_value_is_one_record_and_nothing_of_it_is_lost(body: bytes) -> None:
    assert split(b" " + body + b"\n") == [body]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"nonsense",
        b'{"kind":"EventList","items":[{"a":1}',
        b'{"kind":"EventList","items":[{"a":1}]',
        b'{"kind":"EventList","items":[{"a":1},{"b":]}',
        b'{"kind":"EventList","items":[{"a":1}]} {}',
        b'{"kind":"EventList","items":[{"a":1} {"b":2}]}',
        b'{"kind":"EventList","items":[,{"a":01}]}',
        b'{"kind":"EventList","items":[{"a":01},,1]}',
        b'{"a":1} x',
        b"\x1f\x8b\x08\x00",
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        split(body)


@pytest.mark.parametrize("spoiled", [b"", b'"x":01,'])
def test_more_events_than_an_api_server_holds_are_refused(spoiled: bytes) -> None:
    def body(count: int) -> bytes:
        return b'{"kind":"EventList",' + spoiled + b'"items":[' + b",".join([b"{}"] * count) + b"]}"

    assert len(split(body(MAX_EVENTS))) == MAX_EVENTS
    with pytest.raises(TooManyEventsError):
        split(body(MAX_EVENTS + 1))


def test_millions_of_small_items_are_refused_before_they_cost_memory() -> None:
    body = b'{"items":[' + b"1," * (4 << 20) + b"1]}"
    with pytest.raises(TooManyEventsError):
        split(body)


def test_a_million_members_are_not_walked() -> None:
    with pytest.raises(NotJsonError):
        split(b"{" + b'"":0,' * (1 << 20) + b'"x":01}')


def test_large_lists_of_ordinary_events_are_split() -> None:
    many = events(400, "x" * 5_000)
    assert split(event_list(*many)) == many


def test_recorded_bodies_give_every_event_back(recording: Path) -> None:
    files = sorted((recording / "webhook").glob("eventlist-*.json"))
    assert files
    for file in files:
        body = file.read_bytes()
        found = split(body)
        assert found
        whole = msgspec.json.decode(body)
        assert [msgspec.json.decode(event) for event in found] == whole["items"]
        head = body[: body.index(b'"items":[') + len(b'"items":[')]
        assert head + b",".join(found) + b"]}" == body.strip()
