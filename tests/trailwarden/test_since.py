from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trailwarden.since import InvalidTimeError, parse_since

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-11-20T01:02:03Z", datetime(2026, 11, 20, 1, 2, 3, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
    ],
)
def test_since_is_a_time_or_a_duration(text: str, time: datetime) -> None:
    assert parse_since(text, NOW) == time


def test_no_option_is_no_limit() -> None:
    assert parse_since(None, NOW) is None


@pytest.mark.parametrize("text", ["yesterday", "", "h", "٣h", "99999999999d"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimeError, match="neither a time nor"):
        parse_since(text, NOW)
