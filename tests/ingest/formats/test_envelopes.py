from __future__ import annotations

import base64
import gzip
import json
import random
import subprocess
import sys
from time import process_time
from typing import Any

import orjson
import pytest

from ingest.formats.envelope_parts import MAX_COMMAS, MAX_ITEMS
from ingest.formats.envelopes import Item, looks_like_envelope, open_envelope
from ingest.formats.origin import Origin
from ingest.formats.unpack import MAX_UNPACKED_BYTES
from ingest.record import Reason
from ingest.salvage import MAX_RECORD_BYTES

EVENT = '{"kind":"Event","auditID":"a-1"}'
SUBSCRIPTION = {
    "messageType": "DATA_MESSAGE",
    "owner": "111122223333",
    "logGroup": "/aws/eks/prod/cluster",
    "logStream": "kube-apiserver-audit-1",
    "subscriptionFilters": ["all"],
    "logEvents": [{"id": "1", "timestamp": 1795257968601, "message": EVENT}],
}
ENTRY = {"insertId": "x", "protoPayload": {"methodName": "io.k8s.core.v1.pods.get"}}
PROD = Origin("prod", "aws", "111122223333")


def packed(document: Any, *, zipped: bool = True) -> str:
    raw = document if isinstance(document, bytes) else orjson.dumps(document)
    return base64.b64encode(gzip.compress(raw, mtime=0) if zipped else raw).decode()


def opened(document: Any) -> list[Item]:
    items = open_envelope(document if isinstance(document, bytes) else orjson.dumps(document))
    assert items is not None
    return items


def only(document: Any) -> Item:
    (item,) = opened(document)
    return item


def awslogs(document: Any) -> dict[str, Any]:
    return {"awslogs": {"data": packed(document)}}


@pytest.mark.parametrize(
    "document",
    [
        awslogs(SUBSCRIPTION),
        {"Records": [{"kinesis": {"data": packed(SUBSCRIPTION), "partitionKey": "p"}}]},
        {"records": [{"recordId": "1", "data": packed(SUBSCRIPTION)}], "invocationId": "i"},
        {"requestId": "r", "timestamp": 1, "records": [{"data": packed(SUBSCRIPTION)}]},
        {"subscription": "s", "message": {"data": packed(SUBSCRIPTION), "messageId": "1"}},
        gzip.compress(orjson.dumps(SUBSCRIPTION), mtime=0),
        awslogs(b"  " + orjson.dumps(SUBSCRIPTION) + b"\n"),
        b"\n " + orjson.dumps(SUBSCRIPTION),
    ],
)
def test_every_transport_is_opened_with_what_it_carries(document: Any) -> None:
    item = only(document)
    assert item == Item(EVENT.encode(), PROD, (), 1795257968601)


def test_a_message_of_pubsub_opens_to_its_data() -> None:
    message = {"data": packed(ENTRY, zipped=False), "publishTime": "2026-11-21T10:46:10.5Z"}
    assert only({"message": message, "subscription": "projects/p/subscriptions/s"}) == Item(
        orjson.dumps(ENTRY), Origin(), (), 1795257970500
    )


def test_the_answer_of_a_pull_opens_to_all_its_data() -> None:
    messages = [{"ackId": "a", "message": {"data": packed(ENTRY, zipped=False)}}] * 2
    assert [item.raw for item in opened({"receivedMessages": messages})] == [
        orjson.dumps(ENTRY)
    ] * 2


def test_a_line_of_text_in_a_transport_is_one_record() -> None:
    line = b'time="2026-11-21T10:46:01Z" level=info msg="a {b} c"'
    assert only({"records": [{"data": packed(line)}]}).raw == line


def test_documents_that_a_transport_has_joined_are_several_records() -> None:
    joined = orjson.dumps(SUBSCRIPTION) + b"\n" + orjson.dumps(SUBSCRIPTION)
    assert len(opened({"awslogs": {"data": packed(joined)}})) == 2
    members = gzip.compress(orjson.dumps(SUBSCRIPTION)) * 3
    assert len(opened({"awslogs": {"data": base64.b64encode(members).decode()}})) == 3


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"auditID": "a", "logEvents": [{"message": EVENT}], "records": [{"data": "x"}]},
        {"kind": "EventList", "items": []},
        {"kind": "Event", "records": []} | {"kind": "Event"} | {"records": 1},
        {"message": "a text", "subscription": "s"},
        {"message": {"text": "no data"}, "subscription": "s"},
        {"message": "a text", "aws": {"ec2": {}}},
        {"message": "a text", "aws": 5},
        {"records": [{"some": "thing"}]},
        {"records": [1, 2]},
        {"records": "x"},
        {"events": [{"message": "of something else"}]},
        {"events": [{"name": "of something else"}]},
        {"events": []},
        {"category": "x"},
        {"awslogs": {"nothing": 1}},
        {"awslogs": 3},
        ENTRY,
        {"output": "x", "rule": "y", "time": "2026-11-21T10:46:01Z", "priority": "Notice"},
        b"[]",
        b"",
        b"  ",
        b"null",
        b"plain text",
        b'{"logEvents":[',
        b'{"logEvents":' + b"[" * 100_000,
        EVENT.encode(),
    ],
)
def test_what_is_no_envelope_is_left_alone(document: Any) -> None:
    raw = document if isinstance(document, bytes) else orjson.dumps(document)
    assert open_envelope(raw) is None


def test_a_list_of_no_records_is_an_envelope_of_nothing() -> None:
    assert opened({"records": []}) == []
    assert opened({"events": [], "searchedLogStreams": []}) == []


def test_a_look_says_no_to_audit_events_and_text() -> None:
    assert looks_like_envelope(b' {"records":[]}')
    assert looks_like_envelope(gzip.compress(b"x"))
    assert not looks_like_envelope(EVENT.encode())
    assert not looks_like_envelope(b"[]")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packed(SUBSCRIPTION)[:-3], Reason.TRUNCATED),
        (packed(SUBSCRIPTION)[:40], Reason.TRUNCATED),
        ("@@@@", Reason.NOT_AN_EVENT),
        ("\u00e9\u00e9\u00e9\u00e9", Reason.NOT_AN_EVENT),
        (base64.b64encode(b"\x1f\x8b" + bytes(30)).decode(), Reason.NOT_AN_EVENT),
        (base64.b64encode(gzip.compress(b"x" * 999, mtime=0)[:-2]).decode(), Reason.TRUNCATED),
    ],
)
def test_what_cannot_be_unpacked_is_refused_with_the_envelope(data: str, reason: Reason) -> None:
    raw = orjson.dumps({"awslogs": {"data": data}})
    item = only(raw)
    assert item.raw == raw
    assert item.reason is reason
    assert item.refusal


def test_a_message_without_data_is_refused() -> None:
    item = only({"message": {"messageId": "1", "attributes": {"a": "b"}}, "subscription": "s"})
    assert item.reason is Reason.NOT_AN_EVENT


def test_a_record_that_cannot_be_unpacked_costs_itself_alone() -> None:
    records = [{"data": packed(SUBSCRIPTION)}, {"data": "@@@@"}, {"other": 1}, 7]
    found = opened({"records": [*records, {"data": packed(SUBSCRIPTION)}]})
    assert [item.refusal is None for item in found] == [True, False, False, False, True]


@pytest.mark.parametrize("depth", [2, 3, 20])
def test_a_transport_within_a_transport_is_refused(depth: int) -> None:
    document: Any = SUBSCRIPTION
    for _ in range(depth):
        document = awslogs(document)
    assert only(document).reason is Reason.TOO_DEEP


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    bomb = gzip.compress(bytes(MAX_UNPACKED_BYTES * 8))
    begin = process_time()
    item = only({"awslogs": {"data": base64.b64encode(bomb).decode()}})
    assert process_time() - begin < 3
    assert item.reason is Reason.TOO_LARGE


def test_many_small_bombs_are_one_bomb() -> None:
    bomb = {"data": base64.b64encode(gzip.compress(bytes(MAX_RECORD_BYTES))).decode()}
    found = opened({"records": [bomb] * 100})
    assert found[-1].reason is Reason.TOO_LARGE
    assert len(found) <= 5
    members = gzip.compress(b"x") * 1_000
    assert only(members).reason is Reason.TOO_LARGE
    assert only({"awslogs": {"data": packed(b"{}" * 1_000)}}).reason is Reason.TOO_LARGE


def test_as_much_as_is_allowed_is_unpacked() -> None:
    message = "x" * (MAX_UNPACKED_BYTES - 10_000)
    item = only(awslogs({**SUBSCRIPTION, "logEvents": [{"message": message}]}))
    assert item.raw == message.encode()


def test_a_list_of_a_million_nothings_is_refused() -> None:
    nothings = b"{}," * (MAX_COMMAS + 1)
    raw = b'{"messageType":"DATA_MESSAGE","logEvents":[' + nothings + b"{}]}"
    assert only(raw).reason is Reason.NOT_AN_EVENT
    raw = orjson.dumps({**SUBSCRIPTION, "logEvents": [{"message": "x"}] * (MAX_ITEMS + 1)})
    assert only(raw).reason is Reason.NOT_AN_EVENT
    assert open_envelope(b'{"records":[' + nothings + b"{}]}") is None


def test_nothing_raises_whatever_the_types() -> None:
    values: list[Any] = [
        None,
        True,
        5,
        1.5,
        2**70,
        "x",
        "",
        [],
        {},
        [1],
        [[]],
        [{}],
        {"data": 5},
        {"a": []},
    ]
    values += [[{"data": 7}], [{"kinesis": 7}], [{"message": []}], {"cloudwatch": {"log_group": 5}}]
    keys = ["messageType", "owner", "logGroup", "logStream", "logEvents", "log_events", "message"]
    keys += ["events", "aws", "awslogs", "records", "Records", "receivedMessages", "timestamp"]
    keys += ["subscription", "category", "resourceId", "location", "time", "properties"]
    keys += ["logStreamName", "ingestionTime", "searchedLogStreams"]
    random_ = random.Random(7)
    for _ in range(5_000):
        chosen = random_.sample(keys, random_.randint(1, 8))
        document = {key: random_.choice(values) for key in chosen}
        raw = json.dumps(document).encode()
        for item in open_envelope(raw) or []:
            assert isinstance(item.raw, bytes)


def test_nothing_raises_wherever_it_is_cut_or_flipped() -> None:
    records = [{"category": "kube-audit", "resourceId": "/x", "properties": {"log": EVENT}}]
    random_ = random.Random(8)
    for document in (SUBSCRIPTION, awslogs(SUBSCRIPTION), {"records": records}):
        raw = orjson.dumps(document)
        for cut in range(len(raw)):
            open_envelope(raw[:cut])
        for _ in range(1_000):
            flipped = bytearray(raw)
            flipped[random_.randrange(len(raw))] = random_.randrange(256)
            open_envelope(bytes(flipped))


def test_collectors_need_no_frames_for_it() -> None:
    code = (
        "import sys, ingest.formats.envelopes;"
        "sys.exit(bool({'polars', 'pyarrow', 'confluent_kafka'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
