"""A verdict is written and read strictly, and only the envelope makes a record one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import orjson
import pytest

from ingest.envelope import Format, headers_of, read_envelope
from ingest.normalize import Normalized, NormalizeSettings, normalize
from ingest.record import Reason, Records
from ingest.redact.token import Redactor
from ingest.verdict import (
    MOST_EVENTS,
    NOTE_LENGTH,
    Choice,
    InvalidVerdictError,
    Verdict,
    read_verdict,
    verdict_record,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FINDING = "f" * 32
SETTINGS = NormalizeSettings("from-settings", Redactor(b"key"))


def verdict(**members: Any) -> Verdict:
    given: dict[str, Any] = {
        "finding": FINDING,
        "rule": "rule-1",
        "cluster": "blue",
        "verdict": Choice.FALSE_POSITIVE,
        "author": "dana",
        "time": NOON,
        "note": "a drill",
        "events": ("e" * 32,),
    }
    return Verdict(**{**given, **members})


def normalized(*values: bytes, are_verdicts: bool = True) -> Normalized:
    records = Records(
        "raw/0", list(values), list(range(len(values))), cluster="blue", are_verdicts=are_verdicts
    )
    return normalize([records], SETTINGS)


def test_a_verdict_is_read_as_it_was_written() -> None:
    one = verdict()
    envelope, value = verdict_record(one)
    assert read_verdict(value) == one
    assert orjson.loads(value)["kind"] == "TrailwardenVerdict"
    assert (envelope.cluster, envelope.format, envelope.received) == ("blue", Format.VERDICT, NOON)
    assert read_envelope(headers_of(envelope), b"blue", 0) == envelope


def test_a_verdict_is_an_event_whose_author_is_no_user() -> None:
    zone = timezone(timedelta(hours=2))
    _, value = verdict_record(verdict(time=NOON.astimezone(zone), cluster="another"))
    found = normalized(value)
    assert not found.refused
    row = found.events.row(0, named=True)
    held = {name: value for name, value in row.items() if value is not None}
    assert len(held.pop("event.id")) == 32
    assert len(held.pop("trailwarden.act.id")) == 32
    assert held == {
        "@timestamp": NOON,
        "event.kind": "event",
        "event.dataset": "trailwarden.verdict",
        "event.action": "verdict",
        "event.outcome": "success",
        "event.provider": "trailwarden",
        "log.file.path": "raw/0",
        "log.offset": 0,
        "message": "a drill",
        "orchestrator.cluster.name": "blue",
        "trailwarden.verdict.value": "false_positive",
        "trailwarden.verdict.finding": FINDING,
        "trailwarden.verdict.rule": "rule-1",
        "trailwarden.verdict.author": "dana",
        "trailwarden.verdict.events": ["e" * 32],
    }


def test_a_verdict_that_is_sent_again_is_the_same_event_and_a_later_one_is_another() -> None:
    first, second = verdict(), verdict(time=NOON + timedelta(seconds=1))
    values = [verdict_record(one)[1] for one in (first, first, second)]
    events = normalized(*values).events
    ids = events["event.id"].to_list()
    assert ids[0] == ids[1] != ids[2]
    assert events["trailwarden.act.id"].n_unique() == 1


def test_a_note_is_redacted() -> None:
    token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.c2lnbmF0dXJlLXBsYW50ZWQtaGVyZQ"
    _, value = verdict_record(verdict(note=f"they used {token} again"))
    row = normalized(value).events.row(0, named=True)
    assert token not in row["message"]
    assert row["message"].startswith("they used ")


def test_what_only_looks_like_a_verdict_is_none() -> None:
    """A client can have anything logged: its text must not decide about findings."""
    _, value = verdict_record(verdict())
    line = b'{"log": %s, "stream": "stdout"}' % orjson.dumps(value.decode() + "\n")
    for one in (value, line, b"[" + value + b"]"):
        found = normalized(one, are_verdicts=False)
        assert found.events.is_empty()
        assert [refused.reason for refused in found.refused] == [Reason.NOT_AN_EVENT]


def test_an_act_that_calls_itself_a_verdict_becomes_no_event() -> None:
    found = normalized(b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a"}')
    assert found.events.is_empty()
    assert [refused.reason for refused in found.refused] == [Reason.NOT_AN_EVENT]


def changed(**members: Any) -> bytes:
    _, value = verdict_record(verdict())
    return orjson.dumps({**orjson.loads(value), **members})


BAD = {
    "no JSON": b"\x80\x04K\x01.",
    "empty": b"",
    "a list": b"[]",
    "deep": b'{"a":' * 5_000,
    "too long": changed(note="x" * 40_000),
    "another kind": changed(kind="Event"),
    "one member more": changed(script="ctx._source"),
    "one member fewer": orjson.dumps({"kind": "TrailwardenVerdict", "finding": FINDING}),
    "unknown verdict": changed(verdict="false"),
    "finding that is no id": changed(finding="*"),
    "finding in capitals": changed(finding="F" * 32),
    "finding with a line end": changed(finding=FINDING + "\n"),
    "no author": changed(author=""),
    "long author": changed(author="a" * 201),
    "time without a zone": changed(time="2026-11-21T12:00:00"),
    "time as a number": changed(time=0),
    "note that is no text": changed(note=["a"]),
    "no cluster": changed(cluster=""),
    "event that is no id": changed(events=["*"]),
    "too many events": changed(events=[FINDING] * (MOST_EVENTS + 1)),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_verdict_is_refused_and_costs_itself_alone(name: str) -> None:
    with pytest.raises(InvalidVerdictError):
        read_verdict(BAD[name])
    _, good = verdict_record(verdict())
    found = normalized(BAD[name], good)
    assert found.events.height == 1
    assert [refused.reason for refused in found.refused] == [Reason.NOT_AN_EVENT]


def test_what_would_be_refused_is_not_sent() -> None:
    with pytest.raises(InvalidVerdictError):
        verdict_record(verdict(note="x" * (NOTE_LENGTH + 1)))
    with pytest.raises(InvalidVerdictError):
        verdict_record(msgspec.structs.replace(verdict(), finding="*"))
