from __future__ import annotations

import json
from time import process_time

import orjson
import pytest

from ingest.salvage import MAX_RECORD_BYTES, salvage

WHO = (
    b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a-1",'
    b'"stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"create",'
    b'"user":{"username":"mallory"}'
)
WHEN = b',"stageTimestamp":"2026-11-21T10:46:06.669527Z","annotations":{"decision":"allow"}}'


def test_an_event_cut_by_cloudwatch_keeps_all_that_came_before() -> None:
    saved = salvage(WHO + b',"requestObject":{"kind":"Pod","spec":{"hostPID":tr[Truncated...]')
    assert saved is not None
    assert orjson.loads(saved.raw) == orjson.loads(WHO + b"}")
    assert saved.dropped == ("requestObject",)


@pytest.mark.parametrize("cut", [b"", b",", b',"userAg', b',"userAgent"', b',"userAgent":', b"[Tr"])
def test_an_event_cut_between_members_is_salvaged(cut: bytes) -> None:
    saved = salvage(WHO + cut)
    assert saved is not None
    assert orjson.loads(saved.raw) == orjson.loads(WHO + b"}")


def test_every_cut_gives_valid_json_or_nothing() -> None:
    text = WHO + b',"requestObject":{"a":["\\"}",{"b":-1.5e3}]}' + WHEN
    needed = text.index(b',"user"')
    for cut in range(len(text)):
        saved = salvage(text[:cut])
        assert (saved is not None) == (cut >= needed)
        if saved:
            assert orjson.loads(saved.raw).items() <= orjson.loads(text).items()


@pytest.mark.parametrize("levels", [501, 10_000, 1_000_000])
def test_a_body_nested_too_deeply_is_dropped_and_the_times_are_kept(levels: int) -> None:
    body = b',"responseObject":' + b'{"a":' * levels + b"1" + b"}" * levels
    begin = process_time()
    saved = salvage(WHO + b',"requestObject":{"kind":"Pod"}' + body + WHEN)
    assert process_time() - begin < 3
    assert saved is not None
    assert orjson.loads(saved.raw) == orjson.loads(WHO + b',"requestObject":{"kind":"Pod"}' + WHEN)
    assert saved.dropped == ("responseObject",)


def test_a_body_of_ordinary_depth_is_kept() -> None:
    text = WHO + b',"requestObject":' + b"[" * 500 + b"]" * 500 + WHEN
    saved = salvage(text)
    assert saved is not None
    assert saved.dropped == ()
    assert saved.raw == text


def test_of_two_bodies_the_one_that_fits_is_kept_and_members_after_them_come_first() -> None:
    large = b'"' + b"x" * (MAX_RECORD_BYTES - len(WHO) - 50) + b'"'  # fits, but not with WHEN
    saved = salvage(WHO + b',"requestObject":' + large + b',"responseObject":{}' + WHEN)
    assert saved is not None
    assert saved.dropped == ("requestObject",)
    assert len(saved.raw) <= MAX_RECORD_BYTES
    assert orjson.loads(saved.raw) == orjson.loads(WHO + b',"responseObject":{}' + WHEN)


@pytest.mark.parametrize("bad", [b'{"a":\xff}', b'"\xff"', b"{]", b"nope", b'"\n"', b"[1,]"])
def test_a_malformed_member_is_dropped_alone(bad: bytes) -> None:
    saved = salvage(WHO + b',"requestObject":' + bad + WHEN)
    assert saved is not None
    assert saved.dropped == ("requestObject",)
    assert orjson.loads(saved.raw) == orjson.loads(WHO + WHEN)


@pytest.mark.parametrize("missing", ["auditID", "stage", "verb", "requestURI"])
def test_without_who_did_what_there_is_nothing_to_salvage(missing: str) -> None:
    document = json.loads(WHO + WHEN)
    del document[missing]
    assert salvage(json.dumps(document).encode()) is None


@pytest.mark.parametrize("raw", [b"", b"  ", b"[]", b"klog", b'"text"', b"{", b"\xff\xfe", b"{}{}"])
def test_what_is_no_audit_event_is_not_salvaged(raw: bytes) -> None:
    assert salvage(raw) is None


def test_millions_of_members_are_not_all_looked_at() -> None:
    begin = process_time()
    saved = salvage(WHO + b',"a":1' * 1_000_000 + b"}")
    assert process_time() - begin < 2
    assert saved is not None
    assert len(saved.raw) < 10_000


def test_a_repeated_member_is_kept_as_often_as_it_stands() -> None:
    text = WHO + b',"verb":"delete"}'  # what the decoders make of it is theirs to say
    saved = salvage(text)
    assert saved is not None
    assert saved.raw == text
