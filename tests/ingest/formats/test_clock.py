"""Times as tools write them become one text, and what is none stays what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.canonical_time import parse_time
from ingest.formats.clock import (
    from_microseconds,
    from_month_day,
    from_nanoseconds,
    from_seconds,
    from_text,
)

INSTANT = "2026-11-21T10:46:08.594628Z"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2026-11-21T10:46:08Z", "2026-11-21T10:46:08.000000Z"),
        ("2026-11-21T10:46:08.5Z", "2026-11-21T10:46:08.500000Z"),
        (INSTANT, INSTANT),
        ("2026-11-21T10:46:08.594628999Z", INSTANT),
        ("2026-11-21T10:46:08.594628+00:00", INSTANT),
        ("2026-11-21T11:46:08.594628+01:00", INSTANT),
        ("2026-11-21 10:46:08.594628", INSTANT),
        (" 2026-11-21T10:46:08.594628Z ", INSTANT),
        ("yesterday", "yesterday"),
        ("2026-11-21T10Z", "2026-11-21T10:00:00.000000Z"),
        ("2026-11-21TZ", "2026-11-21TZ"),
        ("2026-11-21T10:46:08.5x4Z", "2026-11-21T10:46:08.5x4Z"),
        ("", None),
        (None, None),
    ],
)
def test_a_text_becomes_canonical_or_stays(text: str | None, canonical: str | None) -> None:
    assert from_text(text) == canonical


@given(st.integers(min_value=0, max_value=7_000_000_000_000_000))
def test_all_ways_of_writing_an_instant_agree(micros: int) -> None:
    instant = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    text = f"{instant.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
    assert from_text(text) == text
    assert from_text(text.replace("Z", "999Z")) == text
    assert from_microseconds(micros) == text
    assert from_microseconds(str(micros)) == text
    assert from_nanoseconds(micros * 1_000 + 999) == text
    assert from_nanoseconds(str(micros * 1_000 + 999)) == text
    assert from_seconds(f"{micros // 1_000_000}.{micros % 1_000_000:06}") == text
    assert parse_time(text) == instant


@pytest.mark.parametrize(
    "value", [None, True, -1, "x", "1e999", "", 10**30, float("inf"), "9" * 90]
)
def test_what_is_no_time_is_none(value: float | str | None) -> None:
    for read in (from_seconds, from_microseconds, from_nanoseconds):
        assert read(value) is None


@pytest.mark.parametrize(
    ("text", "received", "found"),
    [
        ("Oct 11 22:14:15", "2026-11-21T00:00:00+00:00", "2026-10-11T22:14:15.000000Z"),
        ("Oct  1 22:14:15", "2026-11-21T00:00:00+00:00", "2026-10-01T22:14:15.000000Z"),
        ("Dec 31 23:59:59", "2027-01-01T00:00:00+00:00", "2026-12-31T23:59:59.000000Z"),
        ("Jan  1 00:10:00", "2026-12-31T12:00:00+00:00", "2027-01-01T00:10:00.000000Z"),
        ("Jan  3 00:10:00", "2026-12-31T00:00:00+00:00", "2026-01-03T00:10:00.000000Z"),
        ("Feb 29 10:00:00", "2026-11-21T00:00:00+00:00", "2024-02-29T10:00:00.000000Z"),
        ("Feb 29 10:00:00", "2027-11-21T00:00:00+00:00", "2024-02-29T10:00:00.000000Z"),
        ("Feb 30 10:00:00", "2026-11-21T00:00:00+00:00", None),
        ("Foo 11 22:14:15", "2026-11-21T00:00:00+00:00", None),
    ],
)
def test_a_year_is_the_latest_that_can_be(text: str, received: str, found: str | None) -> None:
    assert from_month_day(text, datetime.fromisoformat(received)) == found


def test_without_a_receipt_there_is_no_year() -> None:
    assert from_month_day("Oct 11 22:14:15", None) is None
