"""What a collector knows of a record becomes part of its events, and bounds their times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from ingest.received import ARRIVALS, stamp
from ingest.schema import DTYPES, empty_events

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ISSUES = "trailwarden.parse.issues"


def events_at(
    *times: datetime | None, issues: list[list[str] | None] | None = None
) -> pl.DataFrame:
    rows = {
        "@timestamp": list(times),
        "log.file.path": ["raw/3"] * len(times),
        "log.offset": list(range(len(times))),
        ISSUES: issues or [None] * len(times),
    }
    return empty_events().join(
        pl.DataFrame(rows, schema={name: DTYPES[name] for name in rows}),
        on=list(rows),
        how="full",
        coalesce=True,
        nulls_equal=True,
    )


def arrivals(count: int) -> pl.DataFrame:
    rows = [("raw/3", n, NOW + timedelta(seconds=n), f"c{n}") for n in range(count)]
    return pl.DataFrame(rows, schema=ARRIVALS, orient="row")


def test_each_event_has_its_own_messages_time_and_collector() -> None:
    found = stamp(events_at(NOW, NOW, NOW), arrivals(3))
    assert found["event.created"].to_list() == [NOW + timedelta(seconds=n) for n in range(3)]
    assert found["agent.name"].to_list() == ["c0", "c1", "c2"]
    assert found["@timestamp"].to_list() == [NOW] * 3
    assert found[ISSUES].null_count() == 3
    assert found.schema == pl.Schema(DTYPES)


def test_a_time_more_than_five_minutes_after_receipt_counts_as_received() -> None:
    edge = NOW + timedelta(minutes=5)
    late = events_at(edge, edge + timedelta(microseconds=1_000_001), issues=[None, ["other"]])
    found = stamp(late, arrivals(2))
    assert found["@timestamp"].to_list() == [edge, NOW + timedelta(seconds=1)]
    assert found[ISSUES].to_list() == [None, ["other", "clock-ahead"]]


def test_an_event_without_a_time_counts_as_received() -> None:
    found = stamp(events_at(None, issues=[["missing-timestamp"]]), arrivals(1))
    assert found["@timestamp"].to_list() == [NOW]
    assert found[ISSUES].to_list() == [["missing-timestamp"]]


def test_nothing_stays_nothing() -> None:
    assert stamp(empty_events(), arrivals(0)).schema == pl.Schema(DTYPES)
