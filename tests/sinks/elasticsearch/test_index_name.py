"""The index is a function of the record: its own time, when it was received, and the retention."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest

from sinks.elasticsearch.index_name import day_of, index_name, index_names, out_of_range_of

RECEIVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RETENTION_DAYS = 30
MICROSECOND = timedelta(microseconds=1)
OUT = "tw-events-outofrange"

CASES = [
    (RECEIVED, "tw-events-2026.03.01"),
    (RECEIVED - timedelta(days=1), "tw-events-2026.02.28"),
    (RECEIVED - timedelta(days=30), "tw-events-2026.01.30"),
    (RECEIVED - timedelta(days=30) - MICROSECOND, OUT),
    (RECEIVED + timedelta(hours=1), "tw-events-2026.03.01"),
    (RECEIVED + timedelta(hours=1) + MICROSECOND, OUT),
    (datetime(1, 1, 1, tzinfo=UTC), OUT),
    (datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), OUT),
    (None, OUT),
]


@pytest.mark.parametrize(("time", "index"), CASES)
def test_the_day_is_the_events_own_where_it_is_kept(time: datetime | None, index: str) -> None:
    assert index_name("tw", "events", time, RECEIVED, RETENTION_DAYS) == index


def test_a_frame_gets_the_same_names_as_single_records() -> None:
    times = pl.Series([time for time, _ in CASES], dtype=pl.Datetime("us", "UTC"))
    received = pl.Series([RECEIVED] * len(CASES), dtype=pl.Datetime("us", "UTC"))
    found = index_names(times, received, "tw", "events", RETENTION_DAYS)
    assert found.to_list() == [index for _, index in CASES]


def test_the_day_is_that_of_utc() -> None:
    east = timezone(timedelta(hours=9))
    time = datetime(2026, 3, 1, 3, 0, tzinfo=east)
    assert index_name("tw", "findings", time, RECEIVED, 30) == "tw-findings-2026.02.28"


def test_an_event_just_after_midnight_has_the_next_day() -> None:
    received = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    time = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
    assert index_name("tw", "events", time, received, 30) == "tw-events-2026.03.02"


def test_times_beyond_what_python_knows_are_out_of_range() -> None:
    far = pl.Series([2**62, -(2**62)]).cast(pl.Datetime("us", "UTC"))
    received = pl.Series([RECEIVED] * 2, dtype=pl.Datetime("us", "UTC"))
    assert index_names(far, received, "tw", "events", 30).to_list() == [OUT, OUT]


def test_what_has_no_day_keeps_its_kind() -> None:
    assert out_of_range_of("a-b-findings-2026.03.01") == "a-b-findings-outofrange"
    assert out_of_range_of(OUT) == OUT


@pytest.mark.parametrize(
    ("index", "day"),
    [
        ("tw-events-2026.02.28", date(2026, 2, 28)),
        ("tw-findings-2026.02.28", date(2026, 2, 28)),
        ("tw-events-outofrange", None),
        ("tw-events-2026.02.30", None),
        ("tw-events-2026.2.28", None),
        ("tw-events-2026.02.28-reindexed", None),
        ("tw-events-\u0662\u0660\u0662\u0666.02.28", None),
        ("other-events-2026.02.28", None),
        ("tw-states-2026.02.28", None),
    ],
)
def test_a_day_is_read_only_from_names_of_ours(index: str, day: date | None) -> None:
    assert day_of(index, "tw") == day
