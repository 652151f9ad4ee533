"""Events and findings become documents: the fields that are there, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import polars as pl
import pytest

from detectors.finding import Finding
from detectors.sigma.rule import Level
from ingest.schema import DTYPES, empty_events
from sinks.elasticsearch.documents import event_documents, finding_document

NOON = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)


def events(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(
        [{**dict.fromkeys(DTYPES), **row} for row in rows], schema=DTYPES, orient="row"
    )


def test_only_fields_with_a_value_are_written() -> None:
    frame = events(
        {
            "@timestamp": NOON,
            "event.id": "a",
            "event.created": NOON,
            "user.name": "",
            "kubernetes.audit.user.groups": [],
            "trailwarden.dry_run": False,
            "http.response.status_code": 0,
        },
        {"event.id": "b", "event.created": NOON, "user.name": 'quo"te\n\x00\u2028'},
    )
    first, second = event_documents(frame, "tw", 30)
    assert orjson.loads(first.source) == {
        "@timestamp": "2026-03-01T12:00:00.000005Z",
        "event.id": "a",
        "event.created": "2026-03-01T12:00:00.000005Z",
        "user.name": "",
        "kubernetes.audit.user.groups": [],
        "trailwarden.dry_run": False,
        "http.response.status_code": 0,
    }
    assert orjson.loads(second.source)["user.name"] == 'quo"te\n\x00\u2028'
    assert (first.id, first.index) == ("a", "tw-events-2026.03.01")
    assert (second.id, second.index) == ("b", "tw-events-outofrange")
    assert b"\n" not in first.source + second.source


def test_json_text_becomes_an_object() -> None:
    body = {"spec": {"replicas": 2}}
    frame = events(
        {
            "event.id": "a",
            "event.created": NOON,
            "kubernetes.audit.requestObject": orjson.dumps(body).decode(),
            "kubernetes.audit.annotations": "{broken",
        }
    )
    source = orjson.loads(event_documents(frame, "tw", 30)[0].source)
    assert source["kubernetes.audit.requestObject"] == body
    assert source["kubernetes.audit.annotations"] == {"text": "{broken"}


def test_a_scanned_event_is_received_when_the_scan_began() -> None:
    frame = events(
        {"event.id": "a", "@timestamp": NOON},
        {"event.id": "b", "@timestamp": NOON, "event.created": datetime(2020, 1, 1, tzinfo=UTC)},
    )
    found = event_documents(frame, "tw", 30, NOON)
    assert [one.index for one in found] == ["tw-events-2026.03.01", "tw-events-outofrange"]
    assert "event.created" not in orjson.loads(found[0].source)
    with pytest.raises(ValueError, match="received"):
        event_documents(frame, "tw", 30)


def test_no_events_make_no_documents() -> None:
    assert event_documents(empty_events(), "tw", 30) == []


def test_a_finding_is_written_under_its_id_on_the_day_of_its_evidence() -> None:
    document = {"@timestamp": "2026-03-01T12:00:00.000005Z", "rule.id": "r", "user.name": None}
    finding = Finding("f" * 32, (0, "e"), Level.HIGH, document)
    found = finding_document(finding, NOON, "tw", 30)
    assert (found.index, found.id) == ("tw-findings-2026.03.01", "f" * 32)
    assert orjson.loads(found.source) == {k: v for k, v in document.items() if v is not None}
    timeless = Finding("f", (0, "e"), Level.HIGH, {"@timestamp": None})
    assert finding_document(timeless, NOON, "tw", 30).index == "tw-findings-outofrange"
