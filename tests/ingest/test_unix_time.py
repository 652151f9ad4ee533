from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone

import polars as pl
import pytest

from ingest.unix_time import time_of, unix_us

LEAST = datetime.min.replace(tzinfo=UTC)
MOST = datetime.max.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "time_us"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, microsecond=1, tzinfo=UTC), 1),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC), -1_500_000),
        (datetime(2026, 11, 21, 10, 46, 8, 594_628, tzinfo=UTC), 1_795_257_968_594_628),
        (MOST, 253_402_300_799_999_999),
        (LEAST, -62_135_596_800_000_000),
    ],
)
def test_a_time_is_so_many_microseconds_and_back(time: datetime, time_us: int) -> None:
    assert unix_us(time) == time_us
    assert time_of(time_us) == time
    assert time_of(time_us).tzinfo is UTC


def test_no_microsecond_is_lost_in_any_year_and_polars_counts_the_same() -> None:
    randomly = random.Random(1)
    counts = [randomly.randint(unix_us(LEAST), unix_us(MOST)) for _ in range(2_000)]
    times = [time_of(count) for count in counts]

    assert [unix_us(time) for time in times] == counts
    assert pl.Series(times).to_physical().to_list() == counts


def test_the_zone_that_a_time_is_written_in_makes_no_difference() -> None:
    there = datetime(2026, 11, 21, 5, tzinfo=timezone(timedelta(hours=-5)))

    assert unix_us(there) == unix_us(datetime(2026, 11, 21, 10, tzinfo=UTC))


def test_what_no_datetime_can_be_is_refused() -> None:
    with pytest.raises(OverflowError):
        time_of(unix_us(MOST) + 1)
